package verify_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestWellKept has three servers with TLS as their users run them: with everything closed that the
// product closes by default, and with audit devices made in the way that it wants. A run requires
// the profile production there, and verify finds that it holds.
func TestWellKept(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true, Guarded: true})
	dir := t.TempDir()
	device := func(name string) testbed.AuditDevice {
		return testbed.AuditDevice{Type: "file", Path: name, Options: map[string]string{"file_path": filepath.Join(dir, name+".log")}}
	}
	if err := cluster.DeclareAudit(t.Context(), device("one"), device("two")); err != nil {
		t.Fatal(err)
	}
	seed := fmt.Sprintf(`
audit:
  - {type: file, path: one, options: {file_path: %[1]s/one.log}}
  - {type: file, path: two, options: {file_path: %[1]s/two.log}}
policies:
  - name: app
    rules: 'path "kv/data/app/*" { capabilities = ["read"] }'
auth:
  - type: approle
    path: apps
    roles:
      - {name: app, token_policies: [app], token_ttl: 20m}
secrets:
  - {type: kv, path: kv, options: {version: "2"}}
harden:
  profile: production
  limits: {certificate-left: 1h}
`, dir)
	p := inFiles(t, cluster, seed, "--replica-patience=3m")
	p.encrypts(t)
	// The standbys join, and autopilot waits until they are stable: that is not what this is about.
	early := write(t, filepath.Join(t.TempDir(), "seed.yaml"), strings.Replace(seed, "profile: production", "profile: baseline", 1))
	p.must(t, 0, "run", "--seed="+early)
	found := p.until(t, "a healthy cluster", func(found map[string]shown) bool {
		return found["raft-quorum"].Status == harden.Holds && found["raft-autopilot"].Status == harden.Holds
	})
	p.must(t, 0, "run")
	done := p.must(t, 0, "verify", "--profile=production")
	for _, want := range []string{cluster.Server.String(), "All required controls of the profile production hold."} {
		if !strings.Contains(done.Stdout, want) {
			t.Errorf("the report lacks %q:\n%s", want, done.Stdout)
		}
	}
	for _, id := range []string{"generate-root-idle", "rekey-idle", "role-bindings", "version", "second-audit-device"} {
		want(t, found, id, harden.Holds)
	}
	p.must(t, 0, "run")
}
