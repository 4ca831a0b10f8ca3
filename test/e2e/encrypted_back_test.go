package e2e

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestBackToClear has the owner of an escrow unseal, as the runbook has it, and goes from an encrypted record back to one in clear as docs/keys-at-rest.md has it:
// what was exported is imported where the Secret was deleted, and the run goes on without recipients.
func TestBackToClear(t *testing.T) {
	cluster, ours, safe := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, namespace, _ := inKubernetes(t, cluster, shortLease...)
	clear := *p
	p.flags = append(p.flags, "--keys-to="+ours.recipient, "--keys-to="+safe.recipient, "--keys-identity="+ours.file)
	p.must(0, "run")
	if text := string(clear.keys()); !strings.Contains(text, `"version": 2`) && !strings.Contains(text, `"version":2`) {
		t.Fatal("the record is not encrypted")
	}
	p.keys = ours.opens(t, clear.keys)
	before := keysIn(t, p)

	// While ours is away, the owner of the escrow opens a replica, and leaves the record as it is.
	owner := clear
	owner.flags = append(slices.Clone(clear.flags), "--keys-to="+safe.recipient, "--keys-identity="+safe.file)
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if opened := owner.must(0, "run", "--until=unsealed"); !strings.Contains(opened.Stderr, "other recipients than --keys-to names") {
		t.Errorf("the owner's run: %s", opened)
	}
	if list := clear.must(0, "keys list").Stdout; !strings.Contains(list, ours.recipient) || !strings.Contains(list, safe.recipient+" (escrow)") {
		t.Errorf("keys list: %s", list)
	}

	file := filepath.Join(t.TempDir(), "keys.age")
	p.must(0, "keys export", "--to="+safe.recipient, "--out="+file)
	if early := clear.must(70, "keys import", "--from="+file, "--keys-identity="+safe.file); !strings.Contains(early.Stderr, "keys sealed to others") {
		t.Errorf("beside the encrypted record: %s", early)
	}
	if _, err := kubernetes(t).Kubectl(t.Context(), "delete", "secret", "-n", namespace, "vault-bootstrap-keys"); err != nil {
		t.Fatal(err)
	}
	if between := clear.must(70, "run"); !strings.Contains(between.Stderr, "keys missing") {
		t.Errorf("a run without the record: %s", between)
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
