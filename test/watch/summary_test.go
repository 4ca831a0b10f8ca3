package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestChangesAreEvents has a run and a watch say by name what they have changed, and whether the seed
// or Vault had changed before.
func TestChangesAreEvents(t *testing.T) {
	in, namespace := installInKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	in.start("run").Exits(0)
	shown := func(name, reason, text string) {
		t.Helper()
		eventually(t, name, 20*time.Second, func(context.Context) error {
			events := kubectl(t, "get", "events", "-n", namespace, "--field-selector=involvedObject.kind=Pod", "-o", `jsonpath={range .items[*]}{.type} {.reason}: {.message}{"\n"}{end}`)
			found := slices.ContainsFunc(strings.Split(events, "\n"), func(line string) bool {
				return strings.HasPrefix(line, reason+": ") && strings.Contains(line, text)
			})
			if !found {
				return errors.New("the Events are\n" + events)
			}
			return nil
		})
	}
	shown("what the run has done", "Normal Changed", "sys/policies/acl/app")
	shown("what the run has unsealed", "Normal Changed", "nsealed 1: "+in.cluster.Nodes[0].Addr)

	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	in.sow(in.text() + "\n" + `cors: {allowed_origins: ["https://ui.example"]}` + "\n")
	w.Says(`"msg":"the seed has changed: 1 object differs"`, 1)
	w.Says(`"msg":"changed"`, 1)
	shown("that the seed has changed", "Normal ChangeRequested", "The seed has changed: 1 object differs.")
	shown("what the watch has done", "Normal Changed", "1: sys/config/cors")
	if strings.Contains(w.Shown(), "no longer matches") {
		t.Errorf("it blames Vault\n%s", w.Shown())
	}
	w.Terminates()
}
