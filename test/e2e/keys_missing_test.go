package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestKeysMissing loses the keys record of a hardened Vault and keeps the checkpoint beside it. Every
// verb says so, nothing is initialized or reset, and a copy of the record ends it.
func TestKeysMissing(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, _ := exampleSeed(t)
	p, dir := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	id, _ := status(p)["cluster_id"].(string)
	record := driver.RecordFile(dir, "keys")
	copied := string(p.keys())
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	says := []string{"keys missing", id, "vault-bootstrap-keys", "Restore your copy"}

	t.Run("open", func(t *testing.T) {
		wantMissing(t, p, says)
		wantFailure(t, p.run("plan", "--seed="+seed), 70, says...)
		wantFailure(t, p.run("run"), 70, says...)
	})
	t.Run("sealed", func(t *testing.T) {
		if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := p.run("run")
		wantFailure(t, r, 70, says...)
		if strings.Contains(r.String(), "not ours") || strings.Contains(r.String(), `"msg":"initializing"`) {
			t.Errorf("it says\n%s", r)
		}
		wantFailure(t, p.run("plan", "--seed="+seed), 70, says...)
		wantMissing(t, p, says) // the run has made the record again, without keys
		if last, _ := status(p)["last_error"].(map[string]any); last["name"] != "keys missing" || last["kind"] != "terminal" {
			t.Errorf("on record is %v", last)
		}
	})
	t.Run("restored", func(t *testing.T) {
		write(t, record, copied)
		wantEvents(t, "run", p.must(0, "run").Events(), "seal", "unseal")
		if found := status(p); found["state"] != "hardened" || wouldEnd(found) != nil || found["last_error"] != nil {
			t.Errorf("status shows %v", found)
		}
	})
}

// wouldEnd returns the error that a run would end with, as status shows it; nil if it shows none.
func wouldEnd(shown map[string]any) map[string]any {
	next, _ := shown["next"].(map[string]any)
	found, _ := next["error"].(map[string]any)
	return found
}

// wantMissing holds the verbs that only look to what a run says of a keys record that is gone.
func wantMissing(t *testing.T, p *program, says []string) {
	t.Helper()
	problem := wouldEnd(status(p))
	table := p.must(0, "status").Stdout
	list := p.run("keys list")
	wantFailure(t, list, 70, says...)
	if problem["name"] != "keys missing" {
		t.Errorf("status -o json shows the problem %v", problem)
	}
	for _, want := range says {
		if message, _ := problem["message"].(string); !strings.Contains(strings.Join(strings.Fields(table), " "), want) {
			t.Errorf("status lacks %q (%s):\n%s", want, message, table)
		}
	}
}

// TestKeysMissingAndEmpty loses the storage as well: nothing is left to lose, so another Vault is
// initialized, which begins without the ledger of the former.
func TestKeysMissingAndEmpty(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, _ := exampleSeed(t)
	p, dir := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	if err := os.Remove(driver.RecordFile(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	r := p.run("run", "--timeout=2s")
	wantFailure(t, r, 1, "waiting for an answer") // it may hold the data
	startOver(t, cluster)
	if problem := wouldEnd(status(p)); problem != nil {
		t.Errorf("an empty Vault is called a problem: %v", problem)
	}
	again := p.must(0, "run")
	wantEvents(t, "the new Vault", again.Events(), "initialize", "unseal", "seed", "harden")
	if len(again.Log("the checkpoint knows a Vault whose storage and keys record are gone: another one takes its place")) != 1 {
		t.Errorf("the former Vault is not mentioned\n%s", again)
	}
}
