package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// proveLogin shows that our own login works and may do all that a later run needs.
func (h *hardening) proveLogin(ctx context.Context, address string, look *Look) error {
	open := func(ctx context.Context, method login.Method) (*vault.Session, error) {
		return h.loginWithCredential(ctx, method, address, look)
	}
	return h.sessions.access.Prove(ctx, address, open, h.proveSession)
}

// loginWithCredential logs in by one method, and makes the credential first where that
// is for us to make.
func (h *hardening) loginWithCredential(ctx context.Context, method login.Method, address string, look *Look) (*vault.Session, error) {
	keys := look.StoredKeys
	session, err := method.Open(ctx, h.sessions.access.Dialer, address, keys)
	maker, ours := method.(login.CredentialMaker)
	if !ours || !login.Refused(err) {
		return session, err
	}
	if err := h.makeCredential(ctx, h.sessions.behind(look.root), maker); err != nil {
		return nil, fmt.Errorf("making a credential for our login: %w", err)
	}
	if keys, err = h.records.Keys(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return method.Open(ctx, h.sessions.access.Dialer, address, keys)
}

// proveSession makes sure that the token of a login outlives root, and suffices.
func (h *hardening) proveSession(ctx context.Context, session *vault.Session) error {
	if err := livesAlone(ctx, session); err != nil {
		return err
	}
	missing, err := missingPrivileges(ctx, session.View(), h.setting.Name, h.observer.desired.needs)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.Stop("login too weak", fmt.Errorf("our own login lacks %s", list(missing, 5)),
			"Something in Vault takes away what our policy grants: look for a deny rule in another policy of the role. The root token is kept until this is mended.")
	}
	return nil
}

// makeCredential has a credential made, and stores it.
func (h *hardening) makeCredential(ctx context.Context, root *vault.Session, maker login.CredentialMaker) error {
	if root == nil {
		return errors.New("there is no session with the root token")
	}
	return maker.MakeCredential(ctx, root, func(credential store.AppRole) error {
		return h.records.UpdateKeys(ctx, func(keys *store.Keys) error {
			keys.AppRole = &credential
			return nil
		})
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
func (h *hardening) revokeRoot(ctx context.Context, look *Look, keys store.Keys) error {
	root := h.sessions.behind(look.root)
	if root == nil {
		return errors.New("there is no session with it")
	}
	if h.sessions.glass.Active() {
		if err := h.sessions.glass.End(ctx); err != nil {
			return err
		}
	} else if err := h.revokeByAccessor(ctx, root, keys); err != nil {
		return err
	}
	dead, err := root.Dead(ctx)
	if err != nil {
		return fmt.Errorf("verifying that it is dead: %w", err)
	}
	if !dead {
		return errors.New("it still works")
	}
	h.setting.Log.Info("the root token is revoked")
	return nil
}

func (h *hardening) revokeByAccessor(ctx context.Context, root *vault.Session, keys store.Keys) error {
	identity, err := root.Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking it up: %w", err)
	}
	if keys.Root.Accessor != "" && keys.Root.Accessor != identity.Accessor {
		return fmt.Errorf("its accessor is %s, and %s is on record", identity.Accessor, keys.Root.Accessor)
	}
	return h.sessions.access.Kept().RevokeAccessor(ctx, identity.Accessor)
}
