package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestTwoWatches has two watches beside each other: one leads, and the other takes
// over when it is killed. What they do is told as Events.
func TestTwoWatches(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	first := in.watch()
	first.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	second := in.watch()
	second.Says("another watch leads", 1)

	t.Run("one leads", func(t *testing.T) {
		for each, want := range map[*process]float64{first: 1, second: 0} {
			if got, _ := each.metric("vault_bootstrap_leader"); got != want {
				t.Errorf("leader is %v, want %v", got, want)
			}
		}
		if code, _ := get(t, second.URL()+"/readyz"); code != 200 {
			t.Errorf("the one that stands by is not ready: %d", code)
		}
		if _, there := second.metric("vault_bootstrap_last_success_timestamp_seconds"); there {
			t.Error("the one that stands by has looked at Vault")
		}
	})
	t.Run("each transition is an Event, on the Pod and on its Job, and so is what has changed", func(t *testing.T) {
		want := []string{"Normal Changed", "Normal Hardened", "Normal Initialized", "Normal Seeded", "Normal Unsealed"}
		for _, kind := range []string{"Pod", "Job"} {
			eventually(t, "events on the "+kind, 10*time.Second, func(context.Context) error {
				got := slices.DeleteFunc(told(t, namespace, kind), func(line string) bool { return line == "Normal Found" })
				slices.Sort(got)
				if !slices.Equal(got, want) {
					return fmt.Errorf("they are %q", got)
				}
				return nil
			})
		}
	})
	t.Run("the Secret can be read by a person", func(t *testing.T) {
		shown := kubectl(t, "get", "secret", "vault-bootstrap-state", "-n", namespace, "-L", "vault-bootstrap.dev/state", "--no-headers")
		if !strings.Contains(shown, "hardened") {
			t.Errorf("kubectl shows %q", shown)
		}
		notes := kubectl(t, "get", "secret", "vault-bootstrap-state", "-n", namespace, "-o=jsonpath={.metadata.annotations}")
		for _, name := range []string{"state", "since", "seed-digest"} {
			if !strings.Contains(notes, `"vault-bootstrap.dev/`+name+`":"`) {
				t.Errorf("there is no annotation %q in %s", name, notes)
			}
		}
	})
	t.Run("the other takes over from one that is killed", func(t *testing.T) {
		killed := time.Now()
		first.Kill()
		second.shows("vault_bootstrap_leader", 1)
		t.Logf("it leads after %s", time.Since(killed).Round(time.Millisecond))
		if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := opens(t, cluster.Nodes[0]); took > 10*time.Second {
			t.Errorf("unsealed after %s", took)
		}
	})
	t.Run("a run beside it is not held up", func(t *testing.T) {
		began := time.Now()
		if code := in.start("run").Wait().Code; code != 0 || time.Since(began) > 20*time.Second {
			t.Errorf("the run ended with %d after %s", code, time.Since(began))
		}
	})
	second.Terminates()
}

// TestEventsForbidden takes the rule for Events away, and the ones for watching: the
// work is done all the same, and what is missing is said once.
func TestEventsForbidden(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	for range 4 { // the optional rules are the last ones
		kubectl(t, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", `-p=[{"op":"remove","path":"/rules/4"}]`)
	}
	run := in.start("run")
	if code := run.Wait().Code; code != 0 {
		t.Errorf("the run ended with %d", code)
	}
	if got := strings.Count(run.Shown(), "Kubernetes Events are not sent"); got != 1 {
		t.Errorf("the missing rule was logged %d times", got)
	}
	if !strings.Contains(run.Shown(), `resources: [\"events\"]`) {
		t.Error("the log does not say which rule is missing")
	}
	watch := in.watch()
	if code := watch.Wait().Code; code != 64 || !strings.Contains(watch.Shown(), `vault-bootstrap-watch`) {
		t.Errorf("a watch without the Lease to lead ended with %d", code)
	}
}

// TestTerminalErrorIsAnEvent has a run, and a watch, need a person.
func TestTerminalErrorIsAnEvent(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	if _, err := cluster.Initialize(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	in, namespace := installInKubernetes(t, cluster)
	message := in.file("")
	if code := in.start("run", "--termination-log="+message).Wait().Code; code != 70 {
		t.Fatalf("the run ended with %d", code)
	}
	if got := told(t, namespace, "Job"); !slices.Contains(got, "Warning NotOurs") {
		t.Errorf("the Job's events are %q", got)
	}
	if text := read(t, message); !strings.Contains(text, "exit code 70, terminal: not ours") || !strings.Contains(text, "adopt") {
		t.Errorf("the termination message is %q", text)
	}

	w := in.watch()
	w.Says(`"name":"not ours"`, 1)
	eventually(t, "the watch's event", 10*time.Second, func(context.Context) error {
		warnings := 0
		for _, line := range told(t, namespace, "Pod") {
			if line == "Warning NotOurs" {
				warnings++
			}
		}
		if warnings != 2 {
			return errors.New("it is not there")
		}
		return nil
	})
	w.Terminates()
}
