package watch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

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

// TestKeysEncrypted has a watch over encrypted keys export when the recipient that was not tried for
// longest was last proven, and warn of nothing.
func TestKeysEncrypted(t *testing.T) {
	t.Parallel()
	in := install(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, identity.String())
	in.flags = append(in.flags, "--keys-to=age:"+identity.Recipient().String(), "--keys-identity="+in.file(identity.String()))
	began := time.Now()
	w := in.watch()
	var at float64
	eventually(t, "a metric of recipients", time.Minute, func(context.Context) error {
		var there bool
		if at, there = w.metric("vault_bootstrap_recipient_proven_timestamp_seconds"); !there {
			return errors.New("not yet")
		}
		return nil
	})
	if proven := time.Unix(int64(at), 0); proven.Before(began.Add(-time.Second)) || proven.After(time.Now()) {
		t.Errorf("it was proven on %s", proven)
	}
	if ended := w.Terminates(); strings.Contains(ended.Stderr, "keys at rest: ") {
		t.Errorf("it warns: %s", ended)
	}
}
