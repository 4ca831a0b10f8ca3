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
func (b *Bootstrap) proveLogin(ctx context.Context, address string, look *Look) error {
	open := func(ctx context.Context, method login.Method) (*vault.Session, error) {
		return b.loginWithCredential(ctx, method, address, look)
	}
	return b.access.Prove(ctx, address, open, b.proveSession)
}

// loginWithCredential logs in by one method, and makes the credential first where that
// is for us to make.
func (b *Bootstrap) loginWithCredential(ctx context.Context, method login.Method, address string, look *Look) (*vault.Session, error) {
	keys := look.StoredKeys
	session, err := method.Open(ctx, b.access.Dialer, address, keys)
	maker, ours := method.(login.CredentialMaker)
	if !ours || !login.Refused(err) {
		return session, err
	}
	if err := b.makeCredential(ctx, b.behind(look.root), maker); err != nil {
		return nil, fmt.Errorf("making a credential for our login: %w", err)
	}
	if keys, err = b.Records.Keys(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return method.Open(ctx, b.access.Dialer, address, keys)
}

// proveSession makes sure that the token of a login outlives root, and suffices.
func (b *Bootstrap) proveSession(ctx context.Context, session *vault.Session) error {
	if err := livesAlone(ctx, session); err != nil {
		return err
	}
	missing, err := b.missingPrivileges(ctx, session.View())
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
func (b *Bootstrap) makeCredential(ctx context.Context, root *vault.Session, maker login.CredentialMaker) error {
	if root == nil {
		return errors.New("there is no session with the root token")
	}
	return maker.MakeCredential(ctx, root, func(credential store.AppRole) error {
		return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
			keys.AppRole = &credential
			return nil
		})
	})
}
