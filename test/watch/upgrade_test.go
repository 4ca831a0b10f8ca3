package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestRollingUpgrade changes the version of a Vault of three under a watch, one replica at a time
// and the active one last, as people do it, while consumers read through every replica. The watch
// unseals, and writes nothing; what consumers see is a failover and nothing else.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	newer, err := testbed.LookServer()
	if err != nil {
		t.Fatal(err)
	}
	if newer.Product != testbed.Vault {
		testbed.NotApplicable(t, "the bed has an earlier version of Vault only")
	}
	older := testbed.EarlierFor(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Binary: older.Binary, Nodes: 3, TLS: true})
	in := install(t, cluster)
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	for _, node := range cluster.Nodes {
		opens(t, node)
	}
	root := in.root()
	voters(t, cluster, root)
	w.shows("vault_bootstrap_sealed_replicas", 0)

	var alerts *prometheus
	if prometheusProgram() != "" {
		alerts = prometheusFor(t, impatientRules(t, nil), map[string]*process{"vault": w})
		alerts.scrapes(1)
		alerts.quiet("vault")
	} else {
		t.Log("there is no Prometheus: only the metrics that alerts are made of are looked at")
	}
	readers := readersFor(t, in, root)
	from := in.lines()

	for _, node := range activeLast(t, cluster) {
		wantVersion(t, node, older)
		readers.failover(func() {
			if err := node.Stop(); err != nil {
				t.Fatal(err)
			}
			node.Replace(newer)
			if err := node.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			took := opens(t, node)
			t.Logf("%s: %s → %s, unsealed %s after it listened", node.Name, older, newer, took.Round(time.Millisecond))
			if took > 10*time.Second {
				t.Errorf("%s was unsealed after %s", node.Name, took)
			}
			eventually(t, "an active node", 30*time.Second, func(ctx context.Context) error {
				_, err := cluster.Active(ctx)
				return err
			})
			voters(t, cluster, root)
		})
		wantVersion(t, node, newer)
		w.shows("vault_bootstrap_sealed_replicas", 0)
		w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	}
	// The watch has looked at all of it in the new version, before what it wrote is counted.
	turns, _ := w.metric(`vault_bootstrap_rounds_total{result="idle"}`)
	eventually(t, "two more idle turns", 30*time.Second, func(context.Context) error {
		if now, _ := w.metric(`vault_bootstrap_rounds_total{result="idle"}`); now < turns+2 {
			return fmt.Errorf("there were %v, and are %v", turns, now)
		}
		return nil
	})

	reads, gap := readers.end()
	t.Logf("consumers: %d reads, the longest time without one was %s", reads, gap.Round(time.Millisecond))
	if wrote := in.written(from); len(wrote) > 0 {
		t.Errorf("written was %v", wrote)
	}
	w.shows("vault_bootstrap_drift", 0)
	if alerts != nil {
		alerts.quiet("vault")
		if fired := alerts.fired("vault"); len(fired) > 0 {
			t.Errorf("fired have %v", fired)
		}
	}
	w.Terminates()
}

// activeLast returns the nodes in the order in which they are upgraded.
func activeLast(t *testing.T, cluster *testbed.VaultCluster) []*testbed.VaultNode {
	t.Helper()
	active, err := cluster.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var order []*testbed.VaultNode
	for _, node := range cluster.Nodes {
		if node != active {
			order = append(order, node)
		}
	}
	return append(order, active)
}

// voters waits until each node is a voter and up to date: the next one may go away then.
func voters(t *testing.T, cluster *testbed.VaultCluster, token string) {
	t.Helper()
	eventually(t, "a raft cluster that can lose one", time.Minute, func(ctx context.Context) error {
		active, err := cluster.Active(ctx)
		if err != nil {
			return err
		}
		var state struct {
			Data struct {
				Healthy bool
				Voters  []string
				// FailureTolerance is how many may fail at once.
				FailureTolerance int `json:"failure_tolerance"`
			}
		}
		if err := active.Call(ctx, http.MethodGet, "sys/storage/raft/autopilot/state", token, nil, &state); err != nil {
			return err
		}
		if d := state.Data; !d.Healthy || len(d.Voters) != len(cluster.Nodes) || d.FailureTolerance < 1 {
			return fmt.Errorf("it is %+v", d)
		}
		return nil
	})
}

// wantVersion asks a node which version runs there.
func wantVersion(t *testing.T, node *testbed.VaultNode, want testbed.Server) {
	t.Helper()
	var status struct{ Version string }
	err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &status)
	if err == nil && status.Version != want.Version {
		err = errors.New("it runs " + status.Version)
	}
	if err != nil {
		t.Fatalf("%s should run %s: %v", node.Name, want, err)
	}
}
