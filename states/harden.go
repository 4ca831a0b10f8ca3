package states

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// harden proves that later runs can do without root, then ends the root token and
// forgets it.
func (b *Bootstrap) harden(ctx context.Context, o fsm.Observation) error {
	active, found := o.Active()
	if !found {
		return errors.New("no replica is active")
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	fixed, err := b.fixControls(ctx)
	if err != nil || fixed && keys.Root == nil && b.glass == nil {
		return err // what is left is for the next look to say
	}
	if keys.Root == nil && b.glass == nil {
		return b.unmet()
	}
	if o.Root == fsm.LiveRoot {
		if err := b.proveLogin(ctx, active.Address, keys); err != nil {
			return err
		}
		if err := b.revokeRoot(ctx, keys); err != nil {
			return fmt.Errorf("revoking the root token: %w", err)
		}
	}
	point.Reach("harden.revoked")
	if keys.Attempt != nil {
		// A run that was killed between storing the keys and forgetting the spool left
		// it; what opens it is dropped below.
		b.unspool(keys.Attempt.ID)
	}
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.Root = nil
		// The stored shares have unsealed Vault: the answer as it came, and the key
		// that opens it, have done their service.
		if keys.Attempt != nil {
			keys.Attempt.PrivateKey, keys.Attempt.Answer = secret.Value{}, nil
		}
		return nil
	})
}

// unmet names the required controls that nothing here can put right.
func (b *Bootstrap) unmet() error {
	var names, remedies []string
	for _, result := range harden.Failed(b.Controls, true) {
		names = append(names, fmt.Sprintf("%s (%s)", result.Name, result.Seen))
		remedies = append(remedies, result.Remedy)
	}
	if len(names) == 0 {
		return nil
	}
	return fault.Stop("control fails", fmt.Errorf("required controls do not hold: %s", strings.Join(names, "; ")), strings.Join(remedies, " "))
}

func errIf(condition bool, text string) error {
	if condition {
		return errors.New(text)
	}
	return nil
}
