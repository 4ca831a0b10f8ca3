package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	t.Cleanup(func() {
		if _, err := os.Stat(auditLog); err == nil {
			audited(t, auditLog, 0) // notes every token that Vault has seen
		}
	})
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

// auditEntry is what the suite reads of a line of Vault's audit log.
type auditEntry struct {
	Type    string
	Request struct {
		Operation   string
		Path        string
		ClientToken string `json:"client_token"`
		Data        map[string]any
	}
	Auth struct {
		ClientToken string `json:"client_token"`
	}
	Error string
}

// audited returns the requests in an audit log from the line from on, and the
// number of lines.
func audited(t *testing.T, log string, from int) ([]auditEntry, int) {
	t.Helper()
	file, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<22)
	var entries []auditEntry
	line := 0
	for ; scanner.Scan(); line++ {
		var entry auditEntry
		if err := json.Unmarshal(scanner.Bytes(), &entry); err != nil {
			t.Fatalf("%s:%d: %v", log, line+1, err)
		}
		for _, token := range []string{entry.Request.ClientToken, entry.Auth.ClientToken} {
			if strings.HasPrefix(token, "hvs.") {
				testbed.NoteSecrets(t, token)
			}
		}
		if line >= from && entry.Type == "request" {
			entries = append(entries, entry)
		}
	}
	return entries, line
}

// writes returns the requests that change Vault, apart from those that every run
// may make: its login, questions about its own token, and the end of that token.
func writes(entries []auditEntry) []string {
	allowed := []string{"auth/approle/login", "auth/kubernetes/login", "auth/token/lookup-self", "sys/capabilities-self", "auth/token/revoke-self"}
	var found []string
	for _, entry := range entries {
		if entry.Request.Operation == "read" || entry.Request.Operation == "list" || slices.Contains(allowed, entry.Request.Path) {
			continue
		}
		found = append(found, entry.Request.Operation+" "+entry.Request.Path)
	}
	return found
}

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

// storedKeys is the keys record as its readers see it.
type storedKeys struct {
	Set *struct {
		Kind      string
		Shares    []string
		Threshold int
	}
	Root *struct{ Token string }
}

func keysIn(t *testing.T, p *program) storedKeys {
	t.Helper()
	var keys storedKeys
	if err := json.Unmarshal(p.keys(), &keys); err != nil {
		t.Fatalf("the keys record: %v", err)
	}
	return keys
}

// status returns what 'status -o json' says.
func status(p *program) map[string]any {
	p.t.Helper()
	var report map[string]any
	if err := json.Unmarshal([]byte(p.must(0, "status", "-o", "json").stdout), &report); err != nil {
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
