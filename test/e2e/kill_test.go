package e2e

import (
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const sigcont = syscall.SIGCONT

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// forward are the states in order, each with the events that lead from it on.
var forward = []struct {
	state string
	left  []string
}{
	{"uninitialized", []string{"initialize", "unseal", "seed", "harden"}},
	{"initialized", []string{"unseal", "seed", "harden"}},
	{"unsealed", []string{"seed", "harden"}},
	{"seeded", []string{"harden"}},
	{"hardened", nil},
}

// killEverywhere kills a run with SIGKILL after each state is entered, reruns, and
// checks that what was done is not done again. installed returns a program with
// records and a Vault of its own.
func killEverywhere(t *testing.T, installed func(t *testing.T) (p *program, auditLog string)) {
	for _, each := range forward {
		t.Run(each.state, func(t *testing.T) {
			p, auditLog := installed(t)
			run := p.stopped("entered."+each.state, "run")
			run.Send(syscall.SIGKILL)
			if r := run.Wait(); r.Code != -1 {
				t.Fatalf("the killed run exited with %d", r.Code)
			}
			before := 0
			if each.left == nil || slices.Equal(each.left, []string{"harden"}) {
				_, before = driver.AuditFor(t, auditLog, 0)
			}
			again := p.must(0, "run")
			wantEvents(t, "rerun", again.Events(), each.left...)
			wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
			if before > 0 {
				wantOnlyHardening(t, auditLog, before)
			}
			if keysIn(t, p).Root != nil {
				t.Error("the store holds a root token")
			}
			if state := status(p)["state"]; state != "hardened" {
				t.Errorf("ended at %v", state)
			}
		})
	}
}

// wantOnlyHardening checks that nothing of the seed was written again.
func wantOnlyHardening(t *testing.T, auditLog string, before int) {
	t.Helper()
	entries, _ := driver.AuditFor(t, auditLog, before)
	for _, found := range writes(entries) {
		// The proof of the login, and the end of the root token by it.
		if found != "update auth/approle/role/vault-bootstrap/custom-secret-id" && found != "update auth/token/revoke-accessor" {
			t.Errorf("the rerun wrote again: %s", found)
		}
	}
}

func TestKilledAfterEachStateWithFiles(t *testing.T) {
	killEverywhere(t, func(t *testing.T) (*program, string) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		seed, auditLog := exampleSeed(t)
		p, _ := inFiles(t, cluster, "--seed="+seed)
		return p, auditLog
	})
}

// TestKilledBetween kills at the points inside the acts that a rerun must mend.
func TestKilledBetween(t *testing.T) {
	for _, point := range []string{"initialize.stored", "unseal.share", "unseal.done", "login.audited", "login.made", "harden.credential", "login.proven", "harden.revoked", "login.alone", "seed.applied"} {
		t.Run(point, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			seed, _ := exampleSeed(t)
			p, _ := inFiles(t, cluster, "--seed="+seed)
			killedAt(p, point)
			p.must(0, "run")
			if keysIn(t, p).Root != nil {
				t.Error("the store holds a root token")
			}
			wantEvents(t, "rerun", p.must(0, "run").Events())
		})
	}
}

// TestTwoAtOnce starts several runs together: one acts, the others find the work
// done.
func TestTwoAtOnce(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, _ := exampleSeed(t)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	togetherOneActs(t, p, 3)
}

func togetherOneActs(t *testing.T, p *program, count int) {
	t.Helper()
	var runs []*driver.Driven
	for range count {
		runs = append(runs, p.start("run"))
	}
	acted := 0
	for _, run := range runs {
		r := run.Wait()
		if r.Code != 0 {
			t.Errorf("a run exited with %d\n%s", r.Code, r)
		}
		if len(r.Events()) > 0 {
			acted++
		}
	}
	if acted != 1 {
		t.Errorf("%d runs acted, want 1", acted)
	}
	wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
}
