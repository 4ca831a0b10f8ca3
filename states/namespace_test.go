package states

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// TestServerObjectsInNamespace holds that a seed in a namespace cannot declare what belongs to the
// server, and that a run there reads no facts about it.
func TestServerObjectsInNamespace(t *testing.T) {
	method := login.Chain{login.AppRole{Mount: "approle", RoleName: "vb"}}
	declared := []object.Object{object.AuditDevice("file", "file", nil), object.CORS(map[string]any{"allowed_origins": []any{"x"}}), object.Policy("p", `path "x" {}`)}
	if _, err := NewDesired("vb", method, Declaration{Objects: declared}); err != nil {
		t.Errorf("in the root namespace: %v", err)
	}
	_, err := NewDesired("vb", method, Declaration{Objects: declared, Namespace: "team"})
	if fault.KindOf(err) != fault.Seed || strings.Count(err.Error(), "belongs to the server as a whole, and --vault-namespace=team") != 2 {
		t.Errorf("got %v", err)
	}
	desired, err := NewDesired("vb", method, Declaration{Objects: declared[2:], Namespace: "team", Rules: harden.DefaultRules(harden.Strict)})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range desired.runGroups() {
		if len(harden.WithoutServer([]harden.Group{group})) == 0 {
			t.Errorf("the group %s is read in a namespace", group)
		}
	}
}

// TestNoCeremoniesInNamespaces holds that a login in a namespace gets no grant for key shares.
func TestNoCeremoniesInNamespaces(t *testing.T) {
	for _, namespace := range []string{"", "team"} {
		declaration := Declaration{Namespace: namespace, Ceremonies: ceremony.RightsAlways}
		text := desiredOf(t, login.AppRole{Mount: "approle", RoleName: "vb"}, declaration).PolicyText(true)
		if got := strings.Contains(text, `path "sys/rotate/root/update"`); got != (namespace == "") {
			t.Errorf("in the namespace %q it may: %v", namespace, got)
		}
	}
}

// TestPolicyForNamespaces holds that our policy looks into the namespaces that the seed declares, by
// their paths and by no wildcard that values in KV could match.
func TestPolicyForNamespaces(t *testing.T) {
	text := desiredOf(t, login.AppRole{Mount: "approle", RoleName: "vb"}, Declaration{
		Objects: []object.Object{object.Namespace("a", nil), object.Namespace("a/b", nil)},
		Rules:   harden.Rules{Fix: []string{"user-lockout"}},
	}).PolicyText(true)
	for _, want := range []string{
		"path \"sys/namespaces\" {\n  capabilities = [\"list\"]", "path \"a/sys/policies/acl/*\" {\n  capabilities = [\"read\"]",
		"path \"a/b/auth/token/accessors\" {\n  capabilities = [\"list\", \"sudo\"]", "path \"a/b/sys/auth/*\" {\n  capabilities = [\"update\", \"sudo\"]",
		"path \"a/sys/namespaces/b\" {\n  capabilities = [\"read\", \"update\"]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the policy lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\"+/") {
		t.Errorf("the policy begins a path with a wildcard:\n%s", text)
	}
}

// TestRecordsOfAnotherNamespace holds that a ledger is never applied to another namespace than the one
// that it is about. Records of before know none.
func TestRecordsOfAnotherNamespace(t *testing.T) {
	for _, test := range []struct {
		recorded, now string
		refused       bool
	}{
		{"", "team", false}, {"", "", false}, {"root", "", false}, {"team", "team", false},
		{"team", "", true}, {"root", "team", true}, {"team", "team/x", true},
	} {
		desired := desiredOf(t, login.AppRole{Mount: "approle", RoleName: "vb"}, Declaration{Namespace: test.now})
		if err := desired.sameNamespace(store.Checkpoint{Namespace: test.recorded}); (err != nil) != test.refused || err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}
