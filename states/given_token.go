package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// GivenToken is a token that a person lends to one run, where the keys of Vault are not ours. It
// does what root does on other Vaults: it makes what our own login needs, and whatever our login may
// not. It is stored nowhere, and no longer used once our login is proven.
type GivenToken struct {
	// Value is the token, From where it comes from, for messages.
	Value secret.Value
	From  string
	// Revoke is whether it is revoked when our login is proven.
	Revoke bool

	accessor string // empty until looked up
	ended    bool
}

// inUse reports whether there is a token, and the run still needs it.
func (g *GivenToken) inUse() bool { return g != nil && !g.ended }

// lookAtGiven checks the token that a person has given, before anything is done with it.
func (o *Observer) lookAtGiven(ctx context.Context, address string, look *Look) error {
	view, err := o.access.With(address, o.given.Value)
	if err != nil {
		return err
	}
	identity, alive, err := lookUp(ctx, view)
	switch {
	case err != nil:
		return fmt.Errorf("looking up the token in %s: %w", o.given.From, err)
	case !alive:
		return fault.Misuse(fmt.Errorf("the token in %s is refused by Vault", o.given.From),
			"It has expired, was revoked, or is another Vault's. Give one that is alive, or omit --token-file if our own login works.")
	case identity.Type == "batch" && o.given.Revoke:
		return fault.Misuse(fmt.Errorf("the token in %s is a batch token, which cannot be revoked", o.given.From), "Omit --revoke-token, or give a service token.")
	}
	o.given.accessor = identity.Accessor
	if !slices.Contains(identity.Policies, "root") {
		if err := o.checkGiven(ctx, view); err != nil {
			return err
		}
	}
	look.Observation.Root, look.root = fsm.LiveRoot, view
	return nil
}

// checkGiven makes sure, before anything is written, that a token that is not root may do all that
// it is there for.
func (o *Observer) checkGiven(ctx context.Context, view vault.View) error {
	seen, err := proveNeeds(ctx, view, []ownPolicy{o.desired.own}, o.desired.givenNeeds)
	if err != nil || len(seen.missing) == 0 {
		return err
	}
	return fault.Misuse(fmt.Errorf("the token in %s may not do all that the seed and our own login need: %s", o.given.From, list(seen.missing)),
		"Nothing was written: give a token with policies that grant it. What our login needs is printed by 'vault-bootstrap seed policy --keys=none SEED'; the token must also be allowed to write that policy, the auth method and its role.")
}

// endGiven ends the use of the token that a person has given, and revokes it if that is wanted.
func (h *hardening) endGiven(ctx context.Context, look *Look) error {
	given := h.observer.given
	session := h.sessions.behind(look.root)
	if session == nil {
		return errors.New("there is no session with it")
	}
	if !given.Revoke {
		given.ended = true
		h.setting.Log.Info("our own login is proven: the token that was given is no longer used, and stays alive", "accessor", given.accessor)
		return nil
	}
	if err := session.RevokeSelf(ctx); err != nil {
		return err
	}
	point.Reach("given.revoked")
	dead, err := session.Dead(ctx)
	if err != nil {
		return fmt.Errorf("verifying that it is dead: %w", err)
	}
	if !dead {
		return errors.New("it still works")
	}
	given.ended = true
	h.setting.done.note((*Changes).revoked, "the given token")
	h.setting.Log.Info("our own login is proven: the token that was given is revoked", "accessor", given.accessor)
	return nil
}

// checkOther makes sure that our own login does not use the very token that was given: then it
// would prove nothing, and end with it.
func (h *hardening) checkOther(ctx context.Context, session *vault.Session) error {
	if !h.observer.given.inUse() {
		return nil
	}
	identity, err := session.Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking up our own token: %w", err)
	}
	if identity.Accessor == h.observer.given.accessor {
		return fault.Misuse(fmt.Errorf("our own login uses the token in %s, too", h.observer.given.From),
			"--token-file is for one run, and --login-token-file for all of them: give each its own token.")
	}
	return nil
}
