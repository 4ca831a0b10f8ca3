package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestBackToClear goes from an encrypted record back to one in clear as docs/keys-at-rest.md has it:
// what was exported is imported where the Secret was deleted, and the run goes on without recipients.
func TestBackToClear(t *testing.T) {
	cluster, ours, safe := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, namespace, _ := inKubernetes(t, cluster, shortLease...)
	clear := *p
	p.flags = append(p.flags, "--keys-to="+ours.recipient, "--keys-identity="+ours.file)
	p.must(0, "run")
	if text := string(clear.keys()); !strings.Contains(text, `"version": 2`) && !strings.Contains(text, `"version":2`) {
		t.Fatal("the record is not encrypted")
	}
	p.keys = ours.opens(t, clear.keys)
	before := keysIn(t, p)

	file := filepath.Join(t.TempDir(), "keys.age")
	p.must(0, "keys export", "--to="+safe.recipient, "--out="+file)
	if early := clear.must(64, "keys import", "--from="+file, "--keys-identity="+safe.file); !strings.Contains(early.Stderr, "already holds keys") {
		t.Errorf("beside the encrypted record: %s", early)
	}
	if _, err := kubernetes(t).Kubectl(t.Context(), "delete", "secret", "-n", namespace, "vault-bootstrap-keys"); err != nil {
		t.Fatal(err)
	}
	clear.must(0, "keys import", "--from="+file, "--keys-identity="+safe.file)
	after := keysIn(t, &clear)
	if after.Set == nil || strings.Join(after.Set.Shares, " ") != strings.Join(before.Set.Shares, " ") {
		t.Error("the shares are others")
	}
	wantEvents(t, "rerun", clear.must(0, "run").Events())
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	clear.must(0, "run")
	if code := health(t, cluster.Nodes[0]); code != http.StatusOK {
		t.Errorf("the health is %d", code)
	}
}
