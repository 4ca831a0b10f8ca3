package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// proveLogin proves that our own login works and may do all that a later run needs.
func (h *hardening) proveLogin(ctx context.Context, address string, look *Look) error {
	open := func(ctx context.Context, method login.Method) (*vault.Session, error) {
		return h.loginWithCredential(ctx, method, address, look)
	}
	prove := func(ctx context.Context, session *vault.Session) error {
		return h.proveSession(ctx, session, look)
	}
	return h.sessions.access.Prove(ctx, address, open, prove)
}

// loginWithCredential logs in by one method, and creates the credential first where that is up to
// us.
func (h *hardening) loginWithCredential(ctx context.Context, method login.Method, address string, look *Look) (*vault.Session, error) {
	keys := look.StoredKeys
	session, err := method.Open(ctx, h.sessions.access.Dialer, address, keys)
	maker, ours := method.(login.CredentialMaker)
	if !ours || !login.Refused(err) {
		return session, err
	}
	if err := h.makeCredential(ctx, h.sessions.behind(look.root), maker); err != nil {
		return nil, fmt.Errorf("creating a credential for our login: %w", err)
	}
	if keys, err = h.records.Keys(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return method.Open(ctx, h.sessions.access.Dialer, address, keys)
}

// proveSession makes sure that the token of a login outlives root, and suffices.
func (h *hardening) proveSession(ctx context.Context, session *vault.Session, look *Look) error {
	if err := h.checkOther(ctx, session); err != nil {
		return err
	}
	if err := checkIndependent(ctx, session); err != nil {
		return err
	}
	desired := h.observer.desired
	needs := desired.coreNeeds
	kept := " The root token, or the one that was given, is kept until this is fixed."
	if desired.growing == nil {
		needs = slices.Concat(desired.coreNeeds, desired.seedNeeds)
	}
	if look.root.None() { // the seed is made
		needs, kept = desired.needs(look.Checkpoint), ""
	}
	seen, err := proveNeeds(ctx, session.View(), []ownPolicy{desired.policyFor(look.StoredKeys)}, slices.Concat(needs, desired.growing.needs()))
	if err != nil {
		return err
	}
	if len(seen.missing) > 0 {
		return fault.Stop("login too weak", fmt.Errorf("our own login lacks %s", list(seen.missing)),
			"Something in Vault takes away what our policy grants: check for a deny rule in another policy of the role, its entity or its groups."+kept)
	}
	return nil
}

// makeCredential has a method create its credential, and stores it.
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

// checkIndependent makes sure that the token of our own login does not die with the root token, and that
// it can be revoked at the end of a run.
func checkIndependent(ctx context.Context, session *vault.Session) error {
	identity, err := session.Identity(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("looking up our own token: %w", err)
	case !identity.Orphan:
		return fault.Stop("login too weak", errors.New("the token of our own login is the child of another and would be revoked with it"),
			"Log in through an auth method, or with a token that is an orphan. The root token, or the one that was given, is kept until this is fixed.")
	case identity.Type == "batch":
		return fault.Stop("login too weak", errors.New("our own login issues batch tokens, which cannot be revoked"),
			"Remove token_type=batch from the role or from the mount's tuning. The root token, or the one that was given, is kept until this is fixed.")
	}
	return nil
}

// revokeRoot revokes the root token with our own login, by the accessor on record, and makes sure
// that it is dead: this also shows that the login can clean up.
func (h *hardening) revokeRoot(ctx context.Context, look *Look, keys store.Keys) error {
	root := h.sessions.behind(look.root)
	if root == nil {
		return errors.New("there is no session with it")
	}
	if h.sessions.breakGlass.Active() {
		if err := h.sessions.breakGlass.End(ctx); err != nil {
			return err
		}
	} else if err := h.revokeByAccessor(ctx, root, keys); err != nil {
		return err
	}
	dead, err := root.InRoot().Dead(ctx)
	if err != nil {
		return fmt.Errorf("verifying that it is dead: %w", err)
	}
	if !dead {
		return errors.New("it still works")
	}
	h.setting.done.note((*Changes).revoked, "the root token")
	h.setting.Log.Info("the root token is revoked")
	return nil
}

// revokeByAccessor revokes the root token by its accessor, with our own login. A login that lives in
// a namespace cannot see tokens of the root namespace (OpenBao 2.6: 'cannot lookup token in
// different namespace'), so there the root token revokes itself.
func (h *hardening) revokeByAccessor(ctx context.Context, root *vault.Session, keys store.Keys) error {
	identity, err := root.InRoot().Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking it up: %w", err)
	}
	if keys.Root.Accessor != "" && keys.Root.Accessor != identity.Accessor {
		return fmt.Errorf("its accessor is %s, and %s is on record", identity.Accessor, keys.Root.Accessor)
	}
	own := h.sessions.access.Kept()
	if own.Namespace() != "" {
		return root.InRoot().RevokeSelf(ctx)
	}
	return own.RevokeAccessor(ctx, identity.Accessor)
}

// ensureCredential makes the credential for ceremonies while root is there, if it is to be one and
// none on record works.
func (h *hardening) ensureCredential(ctx context.Context, address string, look *Look) error {
	desired := h.observer.desired
	if !desired.declaration.Credential {
		return nil
	}
	keys, err := h.records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	way, dialer := login.NewCeremony(desired.name), h.sessions.access.Dialer
	session, err := way.Open(ctx, dialer, address, keys)
	if err == nil {
		return session.RevokeSelf(ctx)
	}
	if !login.Refused(err) {
		return fmt.Errorf("logging in for ceremonies: %w", err)
	}
	err = way.MakeCredential(ctx, h.sessions.behind(look.root), keys.Ceremony, func(credential store.AppRole) error {
		return h.records.UpdateKeys(ctx, func(keys *store.Keys) error {
			keys.Ceremony = &credential
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("creating the credential for ceremonies: %w", err)
	}
	return nil
}
