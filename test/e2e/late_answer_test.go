package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// shortLease has a Lease be given up quickly.
var shortLease = []string{"--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=300ms"}

// attemptsIn returns the attempts to initialize on record, the latest last.
func attemptsIn(t *testing.T, p *program) []driver.Attempt {
	t.Helper()
	return keysIn(t, p).Attempts()
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
			a := p.stopped("initialize.spooled", "run")
			startOver(t, cluster)

			var endB driver.Result
			if order.aFirst {
				b := p.stopped("initialize.spooled", "run")
				a.Send(sigcont)
				answered(t, p, 1)
				b.Send(sigcont)
				endB = b.Wait()
			} else {
				endB = p.run("run")
				a.Send(sigcont)
			}
			endA := a.Wait()
			if endB.Code != 0 && endB.Code != 75 {
				t.Errorf("B exited with %d\n%s", endB.Code, endB)
			}
			// Which of the two is fenced off follows from the Lease; that it is not refused
			// shows in the record.
			found := answered(t, p, 1)
			stored := slices.IndexFunc(found, func(each driver.Attempt) bool {
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
func answered(t *testing.T, p *program, n int) []driver.Attempt {
	t.Helper()
	var found []driver.Attempt
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
	if err := node.Unseal(t.Context(), set.Vault()); err != nil {
		t.Fatalf("the stored shares do not open this Vault: %v", err)
	}
	var sealed struct{ Sealed bool }
	if err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &sealed); err != nil || sealed.Sealed {
		t.Fatalf("the stored shares do not open this Vault: %v, %v", sealed, err)
	}
}
