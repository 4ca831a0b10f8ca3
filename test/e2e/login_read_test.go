package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestLooksByTheRoleThatReads has plan and verify log in by the role that only reads,
// and by our own where that is not there.
func TestLooksByTheRoleThatReads(t *testing.T) {
	issuer := newIssuer(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	token := filepath.Join(t.TempDir(), "jwt")
	issuer.token(token, claimSet{subject: "ci:main", audience: "vault"})
	seed, auditLog := exampleSeed(t)
	content, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	write(t, seed, strings.Replace(string(content), "auth:\n", fmt.Sprintf("auth:\n  - type: jwt\n    config:\n      jwks_url: %s\n", issuer.url), 1))
	login := []string{"--login=jwt", "--login-token-file=" + token, "--seed=" + seed}
	p, _ := inFiles(t, cluster, login...)
	p.must(0, "run")

	// look runs a verb, and returns the policies of the tokens that it used for more than
	// to end them, and what it wrote.
	look := func(verb string, code int, flags ...string) (r driver.Result, policies, written []string) {
		t.Helper()
		_, before := driver.AuditFor(t, auditLog, 0)
		r = p.must(code, verb, append(flags, login...)...)
		for _, policy := range policiesUsed(t, auditLog, before) {
			if !slices.Contains(policies, policy) {
				policies = append(policies, policy)
			}
		}
		entries, _ := driver.AuditFor(t, auditLog, before)
		written = slices.DeleteFunc(writes(entries), func(call string) bool {
			return strings.HasPrefix(call, "help ") || call == "update auth/jwt/login" || call == "update auth/token/lookup-accessor"
		})
		return r, policies, written
	}
	want := func(what string, policies, written []string, names ...string) {
		t.Helper()
		if !slices.Equal(policies, names) {
			t.Errorf("%s looked with the policies %v, want %v", what, policies, names)
		}
		if len(written) > 0 {
			t.Errorf("%s wrote %v", what, written)
		}
	}

	r, policies, written := look("plan", 0, "--detailed-exitcode")
	want("plan", policies, written, "vault-bootstrap-read")
	if r.Stderr != "" {
		t.Errorf("plan warns: %s", r.Stderr)
	}
	r, policies, written = look("verify", 3, "--deep", "-o=json")
	want("verify", policies, written, "vault-bootstrap-read")
	if strings.Contains(r.Stdout, "permission denied") {
		t.Errorf("the role may not read something: %s", r.Stdout)
	}

	root := rootOf(t, p, cluster.Nodes[0])
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodDelete, "auth/jwt/role/vault-bootstrap-read", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/token/revoke-self", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	r, policies, written = look("plan", 0)
	want("plan without the role", policies, written, "vault-bootstrap", "vault-bootstrap-seed")
	if !strings.Contains(r.Stderr, "the role that only reads does not let us in") {
		t.Errorf("plan does not say so: %s", r.Stderr)
	}
}

// policiesUsed returns the policies of the tokens in an audit log from the line from
// on, apart from the one that every token has, and from tokens that did nothing but
// look at themselves and end.
func policiesUsed(t *testing.T, log string, from int) []string {
	t.Helper()
	entries, _ := driver.AuditFor(t, log, from)
	var found []string
	for _, entry := range entries {
		if slices.Contains([]string{"auth/token/lookup-self", "auth/token/revoke-self"}, entry.Request.Path) {
			continue
		}
		for _, policy := range entry.Auth.Policies {
			if policy != "default" {
				found = append(found, policy)
			}
		}
	}
	return found
}
