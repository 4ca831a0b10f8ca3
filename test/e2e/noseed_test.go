package e2e

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestNoSeedGiven runs a seeded Vault without its seed: that is said, and what is on record of the seed
// stays, so that the next run with it has nothing to do.
func TestNoSeedGiven(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	p, _ := inFiles(t, cluster)
	with := "--seed=" + seed
	p.must(0, "run", with)
	before := status(p)
	if digest, _ := before["seed_digest"].(string); !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("on record is %v", before)
	}
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil { // so that states are entered again
		t.Fatal(err)
	}
	without := p.must(0, "run")
	wantEvents(t, "without the seed", without.Events(), "seal", "unseal")
	if said := without.Log("no seed given: the objects of the seed on record stay as they are, and are not compared"); len(said) != 1 || said[0].Text("seed_digest") != before["seed_digest"] {
		t.Errorf("it does not say that no seed is given\n%s", without)
	}
	after := status(p)
	for _, field := range []string{"seed_digest", "objects", "state"} {
		if before[field] != after[field] {
			t.Errorf("%s was %v, and is %v", field, before[field], after[field])
		}
	}
	_, lines := driver.AuditFor(t, auditLog, 0)
	again := p.must(0, "run", with)
	wantEvents(t, "with the seed again", again.Events())
	if entries, _ := driver.AuditFor(t, auditLog, lines); len(writes(entries)) > 0 {
		t.Errorf("it wrote %v", writes(entries))
	}
	if strings.Contains(again.Stderr, "no seed given") {
		t.Errorf("it says that no seed is given\n%s", again)
	}

	// A Vault that never had a seed is nothing to mention.
	bare, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	bare.must(0, "run")
	if r := bare.must(0, "run"); strings.Contains(r.Stderr, "no seed given") || status(bare)["seed_digest"] != nil {
		t.Errorf("%v\n%s", status(bare), r)
	}
}
