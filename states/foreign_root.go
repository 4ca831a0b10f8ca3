package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// RevokeForeignRoot ends every root token that is not ours, and returns those that are
// dead now. Ours is the one of a first run that is not through: it still needs it. With
// the Lease in hand no break-glass of ours is at work; what a killed one has left is
// ended before.
func (b *Bootstrap) RevokeForeignRoot(ctx context.Context) ([]vault.Token, error) {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	replica, err := b.activeOfOurs(ctx, keys)
	if err != nil {
		return nil, err
	}
	if err := b.sweepGlass(ctx, replica.Address(), keys); err != nil {
		return nil, err
	}
	ways := make([]way, 0, len(methods(b.Login)))
	for _, method := range methods(b.Login) {
		ways = append(ways, way{method, false}) // the role that only reads revokes nothing
	}
	session, lent, err := b.loginAmong(ctx, ways, replica.Address(), keys)
	if err != nil {
		if errors.Is(err, ErrNoCredential) || vault.Refused(err) {
			return nil, fsm.LockedOut(err.Error())
		}
		return nil, err
	}
	defer b.end(context.WithoutCancel(ctx), session, lent)
	tokens, err := RootTokens(ctx, session, b.Parallelism)
	if err != nil {
		return nil, foreignRefused(err)
	}
	var foreign []vault.Token
	for _, token := range tokens {
		if keys.Root != nil && token.Accessor == keys.Root.Accessor {
			b.Log.Warn("this root token is that of a first run that is not through: 'run' ends it", "accessor", token.Accessor)
			continue
		}
		foreign = append(foreign, token)
	}
	dead, err := RevokeRootTokens(ctx, session, foreign)
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
