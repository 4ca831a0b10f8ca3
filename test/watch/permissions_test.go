package watch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestPermissionTakenFromAWatch takes the right to read the keys away from a watch: it stays, says what
// is missing in its log, its metrics and an Event, and recovers.
func TestPermissionTakenFromAWatch(t *testing.T) {
	in, namespace := installInKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	kubectl(t, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", `-p=[{"op":"remove","path":"/rules/0"}]`)
	eventually(t, "the metric", 60*time.Second, func(context.Context) error {
		if value, there := w.metric(`vault_bootstrap_terminal_error{name="configuration"}`); !there || value != 1 {
			return errors.New("it is not shown")
		}
		return nil
	})
	w.Says(`get secrets \"vault-bootstrap-keys\" in the namespace \"`+namespace, 1)
	w.Says(`"kind":"usage"`, 1)
	eventually(t, "the Event", 10*time.Second, func(context.Context) error {
		if got := told(t, namespace, "Pod"); !slices.Contains(got, "Warning Configuration") {
			return errors.New("it is not among those of the Pod")
		}
		return nil
	})
	kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
	eventually(t, "recovery", 60*time.Second, func(context.Context) error {
		if _, there := w.metric(`vault_bootstrap_terminal_error{name="configuration"}`); there {
			return errors.New("the error is still shown")
		}
		return nil
	})
	w.Says(`"msg":"recovered"`, 1)
	w.Terminates()
}
