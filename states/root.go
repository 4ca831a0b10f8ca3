package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// lookAtRoot looks whether a root token lives that we may use: the first run's, or
// that of break-glass.
func (b *Bootstrap) lookAtRoot(ctx context.Context, address string, keys store.Keys, o *fsm.Observation) error {
	if keys.Root != nil {
		session, err := b.Doorman.Session(address, keys.Root.Token)
		if err != nil {
			return err
		}
		identity, alive, err := whose(ctx, session)
		if err != nil {
			return fmt.Errorf("looking the root token up: %w", err)
		}
		o.Root = fsm.DeadRoot
		if alive {
			o.Root, b.root = fsm.LiveRoot, session
			return b.recordAccessor(ctx, *keys.Root, identity)
		}
	}
	if b.glass == nil {
		return nil
	}
	session, err := b.glassSession(address)
	if err != nil {
		return err
	}
	_, alive, err := whose(ctx, session)
	if err != nil {
		return fmt.Errorf("looking the root token of break-glass up: %w", err)
	}
	if !alive {
		return fault.Stop("break-glass ended", errors.New("the root token of break-glass was revoked by somebody else"), "Find out who did it, and run again.")
	}
	o.Root, b.root = fsm.LiveRoot, session
	return nil
}

// whose looks a session's token up, and reports whether it lives.
func whose(ctx context.Context, session *vault.Session) (vault.Identity, bool, error) {
	identity, err := session.Identity(ctx)
	if vault.StatusOf(err) == 403 {
		return identity, false, nil
	}
	return identity, err == nil, err
}

// recordAccessor stores the root token's accessor at its first use: it names the token
// to whoever has to end it, and opens nothing.
func (b *Bootstrap) recordAccessor(ctx context.Context, root store.Root, identity vault.Identity) error {
	if root.Accessor == identity.Accessor {
		return nil
	}
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Root != nil && keys.Root.Token.Equal(root.Token) {
			keys.Root.Accessor = identity.Accessor
		}
		return nil
	})
}

// livesAlone makes sure that the token of our own login does not end with the root
// token, and that it can be revoked at the end of a run.
func livesAlone(ctx context.Context, session *vault.Session) error {
	identity, err := session.Identity(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("looking our own token up: %w", err)
	case !identity.Orphan:
		return fault.Stop("login too weak", errors.New("the token of our own login is the child of another and would end with it"),
			"Log in through an auth method, or with a token that is an orphan. The root token is kept until this is mended.")
	case identity.Type == "batch":
		return fault.Stop("login too weak", errors.New("our own login gives batch tokens, which cannot be revoked"),
			"Take token_type=batch from the role or from the mount's tuning. The root token is kept until this is mended.")
	}
	return nil
}

// revokeRoot ends the root token with our own login, by the accessor on record, and
// makes sure that it is dead: the login has then shown that it can clean up as well.
func (b *Bootstrap) revokeRoot(ctx context.Context, keys store.Keys) error {
	if b.root == nil {
		return errors.New("there is no session with it")
	}
	root := b.root
	if b.glass != nil {
		if err := b.MendGlass(ctx); err != nil {
			return err
		}
	} else if err := b.revokeByAccessor(ctx, keys); err != nil {
		return err
	}
	dead, err := root.Dead(ctx)
	if err != nil {
		return fmt.Errorf("verifying that it is dead: %w", err)
	}
	if !dead {
		return errors.New("it still works")
	}
	b.Log.Info("the root token is revoked")
	return nil
}

func (b *Bootstrap) revokeByAccessor(ctx context.Context, keys store.Keys) error {
	identity, err := b.root.Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking it up: %w", err)
	}
	if keys.Root.Accessor != "" && keys.Root.Accessor != identity.Accessor {
		return fmt.Errorf("its accessor is %s, and %s is on record", identity.Accessor, keys.Root.Accessor)
	}
	return b.own.RevokeAccessor(ctx, identity.Accessor)
}

// mend ends what a killed break-glass or rotation has left.
func (b *Bootstrap) mend(ctx context.Context, address string, keys store.Keys) error {
	if !b.Mends {
		return nil
	}
	if err := b.sweepGlass(ctx, address, keys); err != nil || keys.Rotation == nil {
		return err
	}
	_, err := b.settleRotation(ctx, b.at(address), keys, secret.Value{})
	return err
}
