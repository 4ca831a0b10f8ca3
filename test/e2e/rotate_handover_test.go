package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// opened decrypts the first shares of a set that operators hold, as many as it needs.
func opened(t *testing.T, pairs []pgp.Pair, set *setOf) []string {
	t.Helper()
	var given []string
	for i := range set.Threshold {
		share, err := pgp.Decrypt(pairs[i].Private, set.Custody[i].Message)
		if err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, share.Reveal())
		given = append(given, share.Reveal())
	}
	return given
}

// TestUnsettledToOperators kills the hand-over to operators when their shares are in
// force, and before: the set that is marked is the one that Vault takes. The numbers of
// shares are the same on both sides.
func TestUnsettledToOperators(t *testing.T) {
	for point, done := range map[string]bool{"rotate.stored": false, "rotate.share": false, "rotate.verified": true} {
		t.Run(point, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			node := cluster.Nodes[0]
			p, _ := inFiles(t, cluster, "--key-shares=3", "--key-threshold=2")
			p.must(0, "run")
			pairs, flag := operators(t, 3)
			old, _, _ := setsIn(t, p)
			if point == "rotate.stored" {
				rotateKilledAt(p, point, flag)
			} else {
				wantFailure(t, p.run("keys rotate", flag), 64, "--new-shares-file")
				_, fresh, _ := setsIn(t, p)
				rotateKilledAt(p, point, "--new-shares-file="+kept(t, strings.Join(opened(t, pairs, fresh), "\n")))
			}
			_, fresh, _ := setsIn(t, p)
			seal(t, cluster)
			if done {
				wantFailure(t, p.run("run"), 70, "custodians must unseal", "operator 0")
				if !unsealWith(t, node, opened(t, pairs, fresh)) {
					t.Fatal("the operators' shares do not open the Vault")
				}
			}
			p.must(0, "run")
			inForce, rotation, away := setsIn(t, p)
			if rotation != nil {
				t.Error("the run did not settle the hand-over")
			}
			if done && (!inForce.equal(fresh) || !holds(away, old)) || !done && !inForce.equal(old) {
				t.Errorf("the set in force has %d shares of ours and %d of operators", len(inForce.Shares), len(inForce.Custody))
			}
		})
	}
}

// TestUnsettledFromOperators is the way back.
func TestUnsettledFromOperators(t *testing.T) {
	for point, done := range map[string]bool{"rotate.stored": false, "rotate.share": false, "rotate.verified": true} {
		t.Run(point, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			node := cluster.Nodes[0]
			p, present := hardenedByCustodians(t, cluster)
			old, _, _ := setsIn(t, p)
			rotateKilledAt(p, point, "--store-shares", "--shares-file="+kept(t, strings.Join(present, "\n")))
			_, fresh, _ := setsIn(t, p)
			seal(t, cluster)
			if !done {
				wantFailure(t, p.run("run"), 70, "custodians must unseal", "operator 0")
				if !unsealWith(t, node, present) {
					t.Fatal("the operators' shares do not open the Vault")
				}
			}
			p.must(0, "run")
			inForce, rotation, away := setsIn(t, p)
			if rotation != nil {
				t.Error("the run did not settle the hand-over")
			}
			if done && (!inForce.equal(fresh) || !holds(away, old)) || !done && !inForce.equal(old) {
				t.Errorf("the set in force has %d shares of ours and %d of operators", len(inForce.Shares), len(inForce.Custody))
			}
		})
	}
}

// TestUnsettledAmongOperators kills an exchange among operators: nobody but them can
// tell which set is in force, so none is marked, and none is lost.
func TestUnsettledAmongOperators(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	p, present := hardenedByCustodians(t, cluster)
	pairs, flag := operators(t, 3)
	presentFile := "--shares-file=" + kept(t, strings.Join(present, "\n"))
	wantFailure(t, p.run("keys rotate", flag, presentFile), 64, "--new-shares-file")
	old, fresh, _ := setsIn(t, p)
	given := opened(t, pairs, fresh)
	rotateKilledAt(p, "rotate.verified", "--new-shares-file="+kept(t, strings.Join(given, "\n")))
	seal(t, cluster)
	wantFailure(t, p.run("run"), 70, "custodians must unseal")
	if !unsealWith(t, node, given) {
		t.Fatal("the new shares do not open the Vault")
	}
	p.must(0, "run")
	set, rotation, _ := setsIn(t, p)
	if !set.equal(old) || !rotation.equal(fresh) {
		t.Fatal("a set of the unsettled exchange was lost or moved")
	}
	if list := p.must(0, "keys list").Stdout; !strings.Contains(list, "unsettled") || strings.Contains(list, "in force") {
		t.Errorf("keys list marks a set:\n%s", list)
	}
	// The wrong ones change nothing; with those that Vault takes another exchange settles it.
	third, thirdFlag := operators(t, 3)
	wantFailure(t, p.run("keys rotate", thirdFlag, presentFile), 64)
	if set, rotation, _ := setsIn(t, p); !set.equal(old) || !rotation.equal(fresh) {
		t.Fatal("a set of the unsettled exchange was lost by a refused exchange")
	}
	wantFailure(t, p.run("keys rotate", thirdFlag, "--shares-file="+kept(t, strings.Join(given, "\n"))), 64, "--new-shares-file")
	_, newest, _ := setsIn(t, p)
	p.must(0, "keys rotate", "--new-shares-file="+kept(t, strings.Join(opened(t, third, newest), "\n")))
	set, rotation, away := setsIn(t, p)
	if !set.equal(newest) || rotation != nil || !holds(away, old) || !holds(away, fresh) {
		t.Errorf("after the exchange that settles it %d sets are put away", len(away))
	}
}

// TestUnsettledLeftToPeople has operators unseal one by one beside a run that waits for
// them: what they have given stays.
func TestUnsettledLeftToPeople(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	p, _ := inFiles(t, cluster, "--key-shares=3", "--key-threshold=2")
	p.must(0, "run")
	pairs, flag := operators(t, 3)
	wantFailure(t, p.run("keys rotate", flag), 64, "--new-shares-file")
	_, fresh, _ := setsIn(t, p)
	given := opened(t, pairs, fresh)
	rotateKilledAt(p, "rotate.verified", "--new-shares-file="+kept(t, strings.Join(given, "\n")))
	seal(t, cluster)
	run := p.start("run", "--wait-for-unseal")
	run.Says("waiting", 2)
	if unsealWith(t, node, given[:1]) {
		t.Fatal("one share opens the Vault")
	}
	run.Says("waiting", run.Printed("waiting")+3)
	if !unsealWith(t, node, given[1:]) {
		run.Send(syscall.SIGTERM)
		t.Fatalf("the first operator's share was reset\n%s", run.Wait())
	}
	if r := run.Wait(); r.Code != 0 {
		t.Fatalf("exited with %d\n%s", r.Code, r)
	}
	if set, rotation, _ := setsIn(t, p); rotation != nil || !set.equal(fresh) {
		t.Error("the run did not mark the set in force")
	}
}
