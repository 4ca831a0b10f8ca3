package watch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestSealOnPurpose has a person seal a Vault that a watch looks after: without being
// asked to, it leaves it sealed, says so, and goes on when the server is restarted.
func TestSealOnPurpose(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	in, namespace := installInKubernetes(t, cluster)
	in.podOf(namespace, node)
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	root := in.rootFrom(keysOf(t, namespace))
	turns := func(result string) float64 {
		n, _ := w.metric(`vault_bootstrap_rounds_total{result="` + result + `"}`)
		return n
	}
	eventually(t, "an idle turn, in which it is seen open", 30*time.Second, func(context.Context) error {
		if turns("idle") == 0 {
			return errors.New("none yet")
		}
		return nil
	})

	if err := in.call(http.MethodPut, "sys/seal", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.shows(`vault_bootstrap_terminal_error{name="sealed on purpose"}`, 1)
	w.shows(`vault_bootstrap_sealed_replicas`, 1)
	eventually(t, "the Event", 10*time.Second, func(context.Context) error {
		if got := told(t, namespace, "Pod"); !slices.Contains(got, "Warning SealedOnPurpose") {
			return errors.New("it is not there")
		}
		return nil
	})
	from := turns("terminal")
	eventually(t, "two more looks", 90*time.Second, func(context.Context) error {
		if turns("terminal") < from+2 {
			return errors.New("not yet")
		}
		return nil
	})
	var status struct{ Sealed bool }
	if err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &status); err != nil || !status.Sealed {
		t.Errorf("after that it is sealed: %v, %v", status.Sealed, err)
	}

	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	restarted(t, namespace, 1) // as late as a kubelet tells it
	opens(t, node)
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	eventually(t, "the end of the trouble", 30*time.Second, func(context.Context) error {
		if _, there := w.metric(`vault_bootstrap_terminal_error{name="sealed on purpose"}`); there {
			return errors.New("it is still shown")
		}
		return nil
	})
	w.Terminates()
}
