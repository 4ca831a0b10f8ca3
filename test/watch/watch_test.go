package watch

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestWatch takes a Vault of three from nothing to hardened and keeps it there.
func TestWatch(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true})
	in := install(t, cluster)
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	for _, node := range cluster.Nodes {
		opens(t, node) // one that is killed while it joins never becomes a member: Vault's own limit
	}
	root := in.root()

	t.Run("a replica that restarts is unsealed", func(t *testing.T) {
		in.standbyRestarts(t, w)
	})
	t.Run("all that restart are unsealed", func(t *testing.T) {
		for _, node := range cluster.Nodes {
			if err := node.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, node := range cluster.Nodes {
			if took := opens(t, node); took > 10*time.Second {
				t.Errorf("%s was unsealed after %s", node.Name, took)
			}
		}
		eventually(t, "an active node", 30*time.Second, func(ctx context.Context) error {
			_, err := cluster.Active(ctx)
			return err
		})
		w.shows("vault_bootstrap_sealed_replicas", 0)
	})
	t.Run("drift is put right", func(t *testing.T) {
		if err := in.call(http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
			t.Fatal(err)
		}
		in.comes(t, "sys/policies/acl/app", root)
		w.shows(`vault_bootstrap_transitions_total{event="drift",from="hardened",to="unsealed"}`, 1)
		w.shows(`vault_bootstrap_drift`, 0)
	})
	t.Run("a login that has ended is made anew", func(t *testing.T) {
		if err := in.call(http.MethodPut, "sys/leases/revoke-prefix/auth/approle/login", root, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := in.call(http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
			t.Fatal(err)
		}
		in.comes(t, "sys/policies/acl/app", root)
		w.shows(`vault_bootstrap_drift`, 0)
		if failed, _ := w.metric(`vault_bootstrap_api_errors_total{class="4xx",server="vault"}`); failed == 0 {
			t.Error("no request was refused: the login had not ended")
		}
	})
	t.Run("of a changed seed the change is written", func(t *testing.T) {
		from := in.lines()
		in.sow(strings.Replace(in.text(), "\nsecrets:", anotherPolicy+"secrets:", 1))
		in.comes(t, "sys/policies/acl/later", root)
		w.shows(`vault_bootstrap_plan_changes`, 0)
		if wrote := in.written(from); len(wrote) != 1 || wrote[0] != "update sys/policies/acl/later" {
			t.Errorf("written was %v", wrote)
		}
	})
	t.Run("a run beside it is not held up", func(t *testing.T) {
		began := time.Now()
		run := in.start("run")
		if code := run.Wait().Code; code != 0 || time.Since(began) > 15*time.Second {
			t.Errorf("the run ended with %d after %s", code, time.Since(began))
		}
		t.Logf("the run took %s", time.Since(began))
	})
	t.Run("a watch with nothing to do writes nothing", func(t *testing.T) {
		idle := func() float64 { n, _ := w.metric(`vault_bootstrap_rounds_total{result="idle"}`); return n }
		eventually(t, "an idle turn", 20*time.Second, func(context.Context) error {
			if _, there := w.metric("vault_bootstrap_last_success_timestamp_seconds"); !there {
				return errors.New("none yet")
			}
			return nil
		})
		from, turns := in.lines(), idle()
		eventually(t, "two turns", 30*time.Second, func(context.Context) error {
			if idle() < turns+2 {
				return errors.New("not yet")
			}
			return nil
		})
		if wrote := in.written(from); len(wrote) > 0 {
			t.Errorf("written was %v", wrote)
		}
	})
	t.Run("probes", func(t *testing.T) {
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/debug/pprof/": 404} {
			if code, _ := get(t, w.URL()+path); code != want {
				t.Errorf("%s answers %d", path, code)
			}
		}
	})
	w.Terminates()
}

// standbyRestarts restarts a standby and measures.
func (in *installation) standbyRestarts(t *testing.T, w *process) {
	active, err := in.cluster.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node := in.cluster.Nodes[0]
	if node == active {
		node = in.cluster.Nodes[1]
	}
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := opens(t, node)
	t.Logf("unsealed %s after it listened", took)
	if took > 10*time.Second {
		t.Error("that is too long")
	}
	w.shows("vault_bootstrap_sealed_replicas", 0)
}

// TestTerminalError keeps a watch alive that needs a person, and goes on when the
// person has done something.
func TestTerminalError(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	in := install(t, cluster)
	w := in.watch()
	w.shows(`vault_bootstrap_terminal_error{name="not ours"}`, 1)
	w.Says(`"name":"not ours"`, 1)

	// A person unseals it: the same trouble, told once. Then takes it over.
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	in.adopt(keys)
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	eventually(t, "recovery", 20*time.Second, func(context.Context) error {
		if _, there := w.metric(`vault_bootstrap_terminal_error{name="not ours"}`); there {
			return errors.New("the error is still shown")
		}
		return nil
	})

	t.Run("a seed that is wrong", func(t *testing.T) {
		good := in.text()
		in.sow("no-such-key: 1\n")
		w.shows(`vault_bootstrap_terminal_error{name="seed invalid"}`, 1)
		if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("with a seed that is wrong it is unsealed after %s", opens(t, cluster.Nodes[0]))
		in.sow(good)
		w.Says(`"msg":"recovered"`, 2)
	})
	w.Terminates()
}
