package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// LogIn logs in at address. The session is the caller's: end ends it.
type LogIn func(ctx context.Context, address string, keys store.Keys) (session *vault.Session, end func(context.Context), err error)

// RevokeForeign ends every root token, and returns those that are dead now. It works
// on a Vault whose first run is through, since that run's own is still needed before.
// With the Lease in hand no break-glass of ours is at work; what a killed one has left
// is ended first.
//
// logIn logs in by our own role, not by one that only reads; end ends that login.
func (g *BreakGlass) RevokeForeign(ctx context.Context, logIn LogIn) ([]vault.Token, error) {
	keys, err := g.admin.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Root != nil {
		return nil, fault.Misuse(errors.New("the first run is not through, and still needs its root token"),
			"Nothing was revoked. 'vault-bootstrap run' ends that token; ask again afterwards.")
	}
	replica, err := g.admin.activeOfOurs(ctx, keys)
	if err != nil {
		return nil, err
	}
	if err := g.Sweep(ctx, replica.Address(), keys); err != nil {
		return nil, err
	}
	session, end, err := logIn(ctx, replica.Address(), keys)
	if err != nil {
		return nil, err
	}
	defer end(context.WithoutCancel(ctx))
	tokens, err := rootTokens(ctx, session, g.parallelism)
	if err != nil {
		return nil, foreignRefused(err)
	}
	dead, err := revokeRootTokens(ctx, session, tokens)
	if err != nil {
		return dead, foreignRefused(err)
	}
	return dead, nil
}

func foreignRefused(err error) error {
	if httpstatus.Of(err) != 403 {
		return err
	}
	return fault.Stop("login too weak", err, "Our own policy does not let us end other tokens: 'vault-bootstrap break-glass run --reason=…' makes it anew.")
}
