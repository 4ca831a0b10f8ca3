package watch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// What a replica may take whose keys record nobody can open: until the program says why it stays
// sealed, and until it is open when the KMS is back. A busy machine may take some more to start a
// process.
const (
	sayTime  = 10 * time.Second
	openTime = 10 * time.Second
	starting = 5 * time.Second
)

// encryptTo has the records of an installation be encrypted to a KMS, and completes the bootstrap.
func (in *installation) encryptTo(kms *testbed.Transit, key string) *testbed.KMSFront {
	in.t.Helper()
	front, flags := testbed.FrontFor(in.t, kms, key)
	in.flags = append(in.flags, flags...)
	in.start("run").Exits(0)
	return front
}

// sealedAt fails the test if a node is not sealed.
func sealedAt(t *testing.T, node *testbed.VaultNode) {
	t.Helper()
	var status struct{ Sealed bool }
	if err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &status); err != nil || !status.Sealed {
		t.Errorf("%s is not sealed: %v", node.Name, err)
	}
}

// TestReplicaWhileKMSIsAway restarts a replica while the KMS is away, in each of its ways, and has each
// kind of new process beside it: it stays sealed, the process says why, and opens it when the KMS is
// back, with one call.
func TestReplicaWhileKMSIsAway(t *testing.T) {
	kms := testbed.TransitFor(t)
	for name, verb := range map[string]struct {
		how   testbed.Outage
		tries int // that have failed before the KMS is back
		start func(in *installation) *process
		// frozen is whether another watch leads, and does nothing.
		frozen bool
	}{
		"watch-500":     {testbed.Failing, 6, func(in *installation) *process { return in.watch() }, false},
		"watch-refused": {testbed.Refused, 1, func(in *installation) *process { return in.watch() }, false},
		"standby-500":   {testbed.Failing, 3, func(in *installation) *process { return in.watch() }, true},
		"sidecar-hanging": {testbed.Hanging, 1, func(in *installation) *process {
			return in.watch("--own-replica=" + in.cluster.Nodes[0].Addr)
		}, true},
		"post-start-500": {testbed.Failing, 3, func(in *installation) *process { return in.start("post-start", "--timeout=2m") }, false},
		"run-hanging":    {testbed.Hanging, 1, func(in *installation) *process { return in.start("run") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			in := install(t, cluster)
			front := in.encryptTo(kms, "away-"+name)
			var leader *process
			if verb.frozen {
				leader = in.watch()
				leader.shows(`vault_bootstrap_state{state="hardened"}`, 1)
				leader.Send(syscall.SIGSTOP)
			}
			if err := front.Away(verb.how); err != nil {
				t.Fatal(err)
			}
			if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, began := front.Calls("decrypt"), time.Now()
			p := verb.start(in)
			p.Says("cannot be reached", 1)
			said := time.Since(began)
			if said > sayTime+starting {
				t.Errorf("it says why only after %s", said)
			}
			if shown := p.Shown(); !strings.Contains(shown, front.URL) {
				t.Errorf("it does not name the recipient:\n%s", shown)
			}
			eventually(t, "tries", 2*time.Minute, func(context.Context) error {
				if verb.how == testbed.Failing && front.Calls("decrypt")-before < verb.tries {
					return errors.New("the KMS was not asked so often")
				}
				return nil
			})
			sealedAt(t, cluster.Nodes[0])
			failed := front.Calls("decrypt")
			if err := front.Back(); err != nil {
				t.Fatal(err)
			}
			took := opens(t, cluster.Nodes[0])
			t.Logf("it says why after %s, and opens %s after the KMS is back", said.Round(100*time.Millisecond), took.Round(100*time.Millisecond))
			if took > openTime {
				t.Error("that is too late")
			}
			// Requests that were held count when they are let through.
			if calls := front.Calls("decrypt") - failed; verb.how != testbed.Hanging && calls != 1 {
				t.Errorf("that took %d calls", calls)
			}
			if n := front.Calls("encrypt"); n != 1 {
				t.Errorf("%d data keys were made", n)
			}
			if verb.frozen {
				leader.Send(syscall.SIGCONT)
			}
			if name == "post-start-500" || name == "run-hanging" {
				p.Exits(0)
			} else {
				p.Terminates()
			}
			if leader != nil {
				leader.Terminates()
			}
		})
	}
}

// TestOneCallForAWatch restarts each of three replicas twice under a watch: it asks the KMS once, when
// it starts, and not at all while the KMS is away.
func TestOneCallForAWatch(t *testing.T) {
	t.Parallel()
	kms := testbed.TransitFor(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	in := install(t, cluster)
	front := in.encryptTo(kms, "once")
	before := front.Calls("decrypt")
	w := in.watch("--own-replica=" + cluster.Nodes[0].Addr)
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	for round := range 2 {
		for _, node := range cluster.Nodes {
			if err := node.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			opens(t, node)
		}
		if calls := front.Calls("decrypt") - before; calls != 1 {
			t.Errorf("after %d restarts: %d calls", 3*(round+1), calls)
		}
		if err := front.Away(testbed.Failing); err != nil { // the second round is during an outage
			t.Fatal(err)
		}
	}
	w.Terminates()
	record, err := os.ReadFile(driver.RecordFile(strings.TrimPrefix(in.flags[0], "--store=file:"), "keys"))
	if err != nil || !driver.Encrypted(record) {
		t.Errorf("the record is not encrypted: %v", err)
	}
}
