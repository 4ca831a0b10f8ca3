package selfinit

import (
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/hcl"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// TestStanza reads back what it has written, with the parser that OpenBao has.
func TestStanza(t *testing.T) {
	const policy = "path \"kv/{{identity.entity.id}}/*\" {\n  capabilities = [\"read\"]\n}\n"
	const quoted = "a \"quoted\" \\ text,\nof two lines"
	text, err := Stanza("0.strange name", []object.Object{
		object.Policy("p", policy),
		object.AuthMount("a/b", "jwt", map[string]any{"description": quoted, "config": map[string]any{"max_lease_ttl": "1h"}}),
		object.Role("a/b", "jwt", "r", map[string]any{"bound_claims": map[string]any{"k": []any{"v", "w"}}, "n": true, "ca": "EOT\n"}),
		object.Role("a-b", "jwt", "r", nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Initialize map[string]struct {
			Request map[string]struct {
				Operation, Path string
				Data            []map[string]any
			}
		}
	}
	if err := hcl.Decode(&read, text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	requests := read.Initialize["_0-strange-name"].Request
	if got := requests["policies-acl-p"].Data[0]["policy"]; got != policy {
		t.Errorf("the policy became %q", got)
	}
	mount := requests["auth-a-b"]
	if mount.Path != "sys/auth/a/b" || mount.Operation != "update" || mount.Data[0]["description"] != quoted || mount.Data[0]["config"] != nil {
		t.Errorf("the mount became %+v", mount)
	}
	role := map[string]any{}
	for _, part := range requests["auth-a-b-role-r"].Data { // as OpenBao does
		maps.Copy(role, part)
	}
	if role["n"] != true || role["ca"] != "EOT\n" {
		t.Errorf("the role became %+v", role)
	}
	if _, found := requests["auth-a-b-role-r-2"]; !found {
		t.Errorf("two requests of the same name became one:\n%s", text)
	}
}

func TestStanzaRefuses(t *testing.T) {
	for says, field := range map[string]any{
		"is secret":                secret.New("hidden-value"),
		"'${', which begins":       "a ${b}",
		"a list holds":             []any{[]any{"x"}},
		"and the configuration of": secret.New("hidden-value"),
	} {
		text, err := Stanza("x", []object.Object{object.Role("a", "jwt", "r", map[string]any{"f": field})})
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), says) || strings.Contains(err.Error()+text, "hidden-value") {
			t.Errorf("%v: %v, %q", says, err, text)
		}
	}
}
