package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestPolicyWordsAsTheServerSees holds what reading a seed refuses to what the server refuses: a
// word that no server takes is an error with its place, and all that is left over is taken.
func TestPolicyWordsAsTheServerSees(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	p.must(0, "run")
	node := cluster.Nodes[0]
	name, _ := logged(t, node)
	root := rootOf(t, p, node)
	const everywhere, nowhere, openBao, vault = "Vault, OpenBao", "", "OpenBao", "Vault"
	for _, test := range []struct{ rules, taken string }{
		{`path "a" { capabilitys = ["read"] }`, nowhere},
		{`path "a" { Capabilities = ["read"] }`, nowhere},
		{`path "a" { capabilities = ["read"] comments = "b" }`, nowhere},
		{`path "a" { policy = "deny" comments = "b" }`, nowhere},
		{`{"path": {"a": {"capabilitys": ["read"]}}}`, nowhere},
		{`paths "a" { capabilities = ["read"] }`, nowhere},
		{`path "a" { capabilities = ["raed"] }`, nowhere},
		{`path "a" { capabilities = ["READ"] }`, nowhere},
		{`path "a" { capabilities = ["raed", "deny"] }`, nowhere},
		{`{"path": {"a": {"capabilities": ["raed"]}}}`, nowhere},
		{`path "a" { capabilities = ["deny", "raed"] }`, everywhere},
		{`path "a" { policy = "deny" capabilities = ["raed"] }`, everywhere},
		{`path "a" { comment = "b" capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }`, everywhere},
		{`path "a" { capabilities = ["update"] allowed_parameters = { "b" = [] } denied_parameters = {} required_parameters = ["c"] mfa_methods = ["d"] }`, everywhere},
		{`path "a" { capabilities = ["scan"] }`, openBao},
		{`path "a" { capabilities = ["list"] pagination_limit = 5 list_scan_response_keys_filter_path = "{{ .key }}" }`, openBao},
		{`path "a" { capabilities = ["read"] expiration = "2100-01-01T00:00:00Z" }`, openBao},
		{`path "a" { capabilities = ["raed"] expiration = "2000-01-01T00:00:00Z" }`, openBao},
		{`path "a" { capabilities = ["recover"] }`, vault},
		{`path "a" { capabilities = ["subscribe"] subscribe_event_types = ["*"] }`, vault},
	} {
		status := http.StatusOK
		err := node.Call(t.Context(), http.MethodPut, "sys/policies/acl/words", root, map[string]string{"policy": test.rules}, nil)
		if failed, ok := errors.AsType[*testbed.VaultError](err); ok {
			status = failed.Status
		} else if err != nil {
			t.Fatal(err)
		}
		want := http.StatusBadRequest
		if test.taken != nowhere && strings.Contains(test.taken, name) {
			want = http.StatusOK
		}
		if status != want {
			t.Errorf("%s answers %d to %s, want %d", name, status, test.rules, want)
		}
		seed := filepath.Join(t.TempDir(), "seed.yaml")
		write(t, seed, fmt.Sprintf("policies: [{name: words, rules: '%s'}]\n", test.rules))
		code := 0
		if test.taken == nowhere {
			code = 65
		}
		r := (&program{t: t, keys: p.keys}).must(code, "seed validate", seed)
		if code != 0 && !strings.Contains(r.Stderr, seed+":1:12: sys/policies/acl/words: not a valid policy") {
			t.Errorf("the error does not name the place: %s", r)
		}
		for _, only := range []string{openBao, vault} {
			warned := strings.Contains(r.Stderr, "only "+only+" takes")
			if want := test.taken == only && only == openBao; warned != want {
				t.Errorf("%s: warned of %s: %v, want %v\n%s", test.rules, only, warned, want, r)
			}
		}
	}
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/revoke-self", root, nil, nil); err != nil {
		t.Fatal(err)
	}
}
