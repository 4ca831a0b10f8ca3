package watch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestKeysInClear has a watch say once, not in each round, that the keys are not encrypted, and have no
// metric of recipients.
func TestKeysInClear(t *testing.T) {
	t.Parallel()
	in := install(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	w := in.watch("--interval=300ms")
	w.Says("keys at rest: ", 1)
	idle := func() float64 { n, _ := w.metric(`vault_bootstrap_rounds_total{result="idle"}`); return n }
	eventually(t, "three idle turns", time.Minute, func(context.Context) error {
		if idle() < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if _, there := w.metric("vault_bootstrap_recipient_proven_timestamp_seconds"); there {
		t.Error("there is a metric of recipients of a record in clear")
	}
	ended := w.Terminates()
	if got := strings.Count(ended.Stderr, "keys at rest: "); got != 1 {
		t.Errorf("%d warnings: %s", got, ended)
	}
}
