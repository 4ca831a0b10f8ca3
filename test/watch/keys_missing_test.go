package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestKeysMissing takes the keys record away from a watch, and gives it back.
func TestKeysMissing(t *testing.T) {
	in := install(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	in.start("run").Exits(0)
	record := driver.RecordFile(filepath.Join(filepath.Dir(in.seed), "store"), "keys")
	copied, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	w.shows(`vault_bootstrap_terminal_error{name="keys missing"}`, 1)
	w.Says(`"name":"keys missing"`, 1)
	if err := in.cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.shows(`vault_bootstrap_sealed_replicas`, 1)
	if err := os.WriteFile(record, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	eventually(t, "recovery", 20*time.Second, func(context.Context) error {
		if _, there := w.metric(`vault_bootstrap_terminal_error{name="keys missing"}`); there {
			return errors.New("the error is still shown")
		}
		return nil
	})
	if shown := w.Shown(); strings.Contains(shown, `"msg":"initializing"`) || strings.Contains(shown, "not ours") {
		t.Errorf("it says\n%s", shown)
	}
	w.Terminates()
}

// TestKeysMissingIsAnEvent has the same said by the Event of a run and its termination message.
func TestKeysMissingIsAnEvent(t *testing.T) {
	in, namespace := installInKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	in.start("run").Exits(0)
	copied := placed(t, string(keysOf(t, namespace)))
	kubectl(t, "delete", "secret", "vault-bootstrap-keys", "-n", namespace)
	message := placed(t, "")
	in.start("run", "--termination-log="+message).Exits(70)
	eventually(t, "the Event", 10*time.Second, func(context.Context) error {
		if got := strings.Join(told(t, namespace, "Job"), "; "); !strings.Contains(got, "Warning KeysMissing") {
			return errors.New("the Job's Events are " + got)
		}
		return nil
	})
	if text := read(t, message); !strings.Contains(text, "exit code 70, terminal: keys missing") || !strings.Contains(text, "Restore your copy of vault-bootstrap-keys") {
		t.Errorf("the termination message is %q", text)
	}

	// As docs/runbook.md has it.
	restored := kubectl(t, "create", "secret", "generic", "vault-bootstrap-keys", "-n", namespace, "--from-file=keys.json="+copied, "--dry-run=client", "-o", "yaml")
	kubectl(t, "apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", placed(t, restored))
	in.start("run").Exits(0)
}

// placed writes a text to a file of its own.
func placed(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
