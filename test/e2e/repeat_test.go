package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// anyServer starts the suite's server.
func anyServer(t *testing.T) *testbed.VaultCluster {
	t.Helper()
	return testbed.VaultFor(t, testbed.VaultOptions{})
}

// repeatSeed has two objects that a server takes and never shows as they were declared: an
// empty token_type leaves the setting as it is, and the request does not do what its condition
// waits for.
const repeatSeed = `
audit:
  - {type: file, options: {file_path: %s, log_raw: "true"}}
policies:
  - {name: app, rules: 'path "kv/data/app" { capabilities = ["read"] }'}
auth:
  - {type: userpass%s}
requests:
  - name: never
    path: sys/policies/acl/made
    data: {policy: 'path "kv/data/made" { capabilities = ["read"] }'}%s
`

// TestNotAppliedTwice has a server take writes and show something else. A run ends with that
// after one try, and names object, field and both values; everything else is applied.
func TestNotAppliedTwice(t *testing.T) {
	cluster := anyServer(t)
	auditLog, seed := filepath.Join(t.TempDir(), "audit.log"), filepath.Join(t.TempDir(), "seed.yaml")
	t.Cleanup(func() { driver.NoteTokens(t, auditLog) })
	write(t, seed, fmt.Sprintf(repeatSeed, auditLog, `, options: {token_type: ""}`, "\n    unless: {path: sys/policies/acl/made, field: nothing}"))
	p, _ := inFiles(t, cluster, "--seed="+seed, "--login=approle", "--timeout=60s")
	from := 0
	for range 2 {
		r := p.must(1, "run")
		for _, want := range []string{
			`/seed.yaml:7:5): not written a second time: it was just written, and Vault still shows other values: config.token_type is \"default-service\", the seed wants \"\"`,
			`/seed.yaml:9:5): not written a second time: it was just sent, and its condition (unless) still does not hold`,
			"Change the seed to what Vault shows",
		} {
			if !strings.Contains(r.Stderr, want) {
				t.Errorf("it does not say %q:\n%s", want, r)
			}
		}
		entries, end := driver.AuditFor(t, auditLog, from)
		if from > 0 { // before the first run's audit device, nothing is logged
			got := slices.DeleteFunc(writes(entries), func(call string) bool { return strings.HasPrefix(call, "help ") })
			if want := []string{"update sys/auth/userpass/tune", "update sys/policies/acl/made"}; !slices.Equal(got, want) {
				t.Errorf("the second run wrote %v, want %v", got, want)
			}
		}
		from = end
	}
	if last, _ := status(p)["last_error"].(map[string]any); last["kind"] != "partial" {
		t.Errorf("status: the last error is %v", last)
	}
	write(t, seed, fmt.Sprintf(repeatSeed, auditLog, "", ""))
	p.must(0, "run")
	if keysIn(t, p).Root != nil || status(p)["state"] != "hardened" {
		t.Errorf("after the seed was corrected: root %v, state %v", keysIn(t, p).Root != nil, status(p)["state"])
	}
}
