package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// exampleSeed writes a seed with every kind of object there is, and returns its
// path and the audit log's. The audit log is raw, so that the suite learns every
// token that was made; it is the one place where secrets are expected.
func exampleSeed(t *testing.T) (seed, auditLog string) {
	t.Helper()
	auditLog = filepath.Join(t.TempDir(), "audit.log")
	seed = filepath.Join(t.TempDir(), "seed.yaml")
	testbed.NoteSecrets(t, "correct-horse-battery")
	t.Cleanup(func() { driver.NoteTokens(t, auditLog) })
	write(t, seed, fmt.Sprintf(`
audit:
  - type: file
    options:
      file_path: %s
      log_raw: "true"
policies:
  - name: app
    rules: |
      path "kv/data/app/*" {
        capabilities = ["read"]
      }
auth:
  - type: userpass
    description: people
    users:
      - username: ada
        password: "correct-horse-battery"
        token_policies: [app]
secrets:
  - type: kv
    path: kv
    description: settings of applications
    options:
      version: "2"
  - type: transit
`, auditLog))
	return seed, auditLog
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writes returns the requests that change Vault, apart from those that every run may make.
func writes(entries driver.Audit) []string { return entries.Writes("approle", "kubernetes") }

// health returns the status code of sys/health.
func health(t *testing.T, node *testbed.VaultNode) int {
	t.Helper()
	err := node.Call(t.Context(), http.MethodGet, "sys/health", "", nil, nil)
	if err == nil {
		return http.StatusOK
	}
	failed, ok := errors.AsType[*testbed.VaultError](err)
	if !ok {
		t.Fatalf("%s: %v", node.Addr, err)
	}
	return failed.Status
}

// keysIn returns the keys record.
func keysIn(t *testing.T, p *program) driver.KeysRecord {
	t.Helper()
	return driver.KeysFor(t, p.keys())
}

// status returns what 'status -o json' says.
func status(p *program) map[string]any {
	p.t.Helper()
	var report map[string]any
	if err := json.Unmarshal([]byte(p.must(0, "status", "-o", "json").Stdout), &report); err != nil {
		p.t.Fatal(err)
	}
	return report
}

// history returns the events in the checkpoint.
func history(p *program) []string {
	p.t.Helper()
	var events []string
	list, _ := status(p)["history"].([]any)
	for _, each := range list {
		if event, ok := each.(map[string]any)["event"].(string); ok && event != "" {
			events = append(events, event)
		}
	}
	return events
}

func wantEvents(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: events were %v, want %v", what, got, want)
	}
}
