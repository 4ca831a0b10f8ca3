package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// RevokeForeign revokes every root token, and returns those that are dead now. It refuses a Vault
// whose first run has not finished, since that run still needs its own. The caller holds the Lease,
// so no break-glass of ours is at work; what a killed one left behind is ended first.
//
// logIn logs in by our own role, not by one that only reads.
func (g *BreakGlass) RevokeForeign(ctx context.Context, logIn LogIn) ([]vault.Token, error) {
	keys, err := g.admin.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Root != nil {
		return nil, fault.Misuse(errors.New("the first run has not finished, and still needs its root token"),
			"Nothing was revoked. 'vault-bootstrap run' revokes that token; try again afterwards.")
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
	if session.Namespace() != "" {
		return nil, fault.Misuse(fmt.Errorf("our login lives in the namespace %q, and root tokens are in the root namespace, where it sees nothing", session.Namespace()),
			"Nothing was revoked. Look for them with a login of the root namespace: 'vault list auth/token/accessors', then 'vault token revoke -accessor ACCESSOR'.")
	}
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
	return fault.Stop("login too weak", err, "Our own policy does not let us revoke other tokens: 'vault-bootstrap break-glass run --reason=…' writes it again.")
}
