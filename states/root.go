package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

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
func (b *Bootstrap) revokeRoot(ctx context.Context, look *Look, keys store.Keys) error {
	root := b.behind(look.root)
	if root == nil {
		return errors.New("there is no session with it")
	}
	if b.glass.Active() {
		if err := b.glass.End(ctx); err != nil {
			return err
		}
	} else if err := b.revokeByAccessor(ctx, root, keys); err != nil {
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

func (b *Bootstrap) revokeByAccessor(ctx context.Context, root *vault.Session, keys store.Keys) error {
	identity, err := root.Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking it up: %w", err)
	}
	if keys.Root.Accessor != "" && keys.Root.Accessor != identity.Accessor {
		return fmt.Errorf("its accessor is %s, and %s is on record", identity.Accessor, keys.Root.Accessor)
	}
	return b.access.Kept().RevokeAccessor(ctx, identity.Accessor)
}
