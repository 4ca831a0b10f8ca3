package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// shortLease has a Lease be given up quickly.
var shortLease = []string{"--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=300ms"}

// attempts are the attempts to initialize on record, whichever is the latest.
type attempts []struct {
	ID, Status string
	Answer     json.RawMessage
}

func attemptsIn(t *testing.T, p *program) attempts {
	t.Helper()
	var record struct {
		Attempt json.RawMessage
		Past    attempts
	}
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatalf("the keys record: %v", err)
	}
	all := record.Past
	if len(record.Attempt) > 0 {
		latest := make(attempts, 1)
		if err := json.Unmarshal(record.Attempt, &latest[0]); err != nil {
			t.Fatal(err)
		}
		all = append(all, latest...)
	}
	return all
}

// TestLateAnswer is the one that hurts: A is stopped after Vault has answered, somebody
// empties the volume by hand, B initializes, A goes on. Both bring an answer, in both
// orders. None is refused, and what is in force opens the Vault that is there.
func TestLateAnswer(t *testing.T) {
	for _, order := range []struct {
		name   string
		aFirst bool
	}{{"A delivers before B", true}, {"A delivers after B is hardened", false}} {
		t.Run(order.name, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			p, namespace, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle")...)
			stopAt := []string{"VAULT_BOOTSTRAP_STOP_AT=initialize.spooled"}
			a := p.start(stoppable, "run", stopAt)
			a.stoppedAt("initialize.spooled")
			startOver(t, cluster)

			stopB := stopAt
			if !order.aFirst {
				stopB = nil
			}
			b := p.start(stoppable, "run", stopB)
			if order.aFirst {
				b.stoppedAt("initialize.spooled")
				a.signal(sigcont)
				answered(t, p, 1)
				b.signal(sigcont)
			}
			endB := b.wait()
			if !order.aFirst {
				a.signal(sigcont)
			}
			endA := a.wait()
			if endB.code != 0 && endB.code != 75 {
				t.Errorf("B exited with %d\n%s", endB.code, endB)
			}
			// Which of the two is fenced off follows from the Lease; that it is not refused
			// shows in the record.
			found := answered(t, p, 1)
			stored := slices.IndexFunc(found, func(each struct {
				ID, Status string
				Answer     json.RawMessage
			}) bool {
				return each.Status != "stored"
			})
			if len(found) != 2 || stored >= 0 {
				t.Errorf("on record are %+v, want two attempts whose answers are stored\nA: %s\nB: %s", found, endA, endB)
			}
			p.must(0, "run")
			if state := status(p)["state"]; state != "hardened" {
				t.Errorf("ended at %v", state)
			}
			opensWith(t, p, cluster.Nodes[0])
			_ = namespace
		})
	}
}

// answered waits until at least n attempts have their answers on record.
func answered(t *testing.T, p *program, n int) attempts {
	t.Helper()
	var found attempts
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := testbed.Poll(ctx, 100*time.Millisecond, "an answer on record", func(context.Context) error {
		found = attemptsIn(t, p)
		with := 0
		for _, attempt := range found {
			if attempt.Status == "stored" {
				with++
			}
		}
		if with < n {
			return fmt.Errorf("%d of %d", with, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// opensWith restarts Vault and opens it with the stored shares, without the program.
func opensWith(t *testing.T, p *program, node *testbed.VaultNode) {
	t.Helper()
	set := keysIn(t, p).Set
	if set == nil {
		t.Fatal("no keys are stored")
	}
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := node.Unseal(t.Context(), testbed.VaultKeys{Shares: set.Shares, Threshold: set.Threshold}); err != nil {
		t.Fatalf("the stored shares do not open this Vault: %v", err)
	}
	var sealed struct{ Sealed bool }
	if err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &sealed); err != nil || sealed.Sealed {
		t.Fatalf("the stored shares do not open this Vault: %v, %v", sealed, err)
	}
}
