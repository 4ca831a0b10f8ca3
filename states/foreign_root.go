package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// RevokeForeignRoot ends every root token, and returns those that are dead now. It works
// on a Vault whose first run is through, since that run's own is still needed before.
// With the Lease in hand no break-glass of ours is at work; what a killed one has left
// is ended first.
func (b *Bootstrap) RevokeForeignRoot(ctx context.Context) ([]vault.Token, error) {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Root != nil {
		return nil, fault.Misuse(errors.New("the first run is not through, and still needs its root token"),
			"Nothing was revoked. 'vault-bootstrap run' ends that token; ask again afterwards.")
	}
	replica, err := b.activeOfOurs(ctx, keys)
	if err != nil {
		return nil, err
	}
	if err := b.sweepGlass(ctx, replica.Address(), keys); err != nil {
		return nil, err
	}
	session, end, err := b.access.LogIn(ctx, replica.Address(), keys) // the role that only reads revokes nothing
	if err != nil {
		if login.Refused(err) {
			return nil, fsm.LockedOut(err.Error())
		}
		return nil, err
	}
	defer end(context.WithoutCancel(ctx))
	tokens, err := RootTokens(ctx, session, b.Parallelism)
	if err != nil {
		return nil, foreignRefused(err)
	}
	dead, err := RevokeRootTokens(ctx, session, tokens)
	if err != nil {
		return dead, foreignRefused(err)
	}
	return dead, nil
}

func foreignRefused(err error) error {
	if vault.StatusOf(err) != 403 {
		return err
	}
	return fault.Stop("login too weak", err, "Our own policy does not let us end other tokens: 'vault-bootstrap break-glass run --reason=…' makes it anew.")
}
