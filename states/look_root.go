package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// lookAtRoot checks whether a root token that we may use is alive: the first run's, that of this
// process's break-glass, or what a person has given in its place.
func (o *Observer) lookAtRoot(ctx context.Context, address string, look *Look) error {
	if stored := look.StoredKeys.Root; stored != nil {
		alive, err := o.lookAtStoredRoot(ctx, address, look)
		if err != nil || alive {
			return err
		}
	}
	if o.given.inUse() {
		return o.lookAtGiven(ctx, address, look)
	}
	view, used, err := o.grant.View(address)
	if err != nil || !used {
		return err
	}
	_, alive, err := lookUp(ctx, view)
	if err != nil {
		return fmt.Errorf("looking up the root token of break-glass: %w", err)
	}
	if !alive {
		return fault.Stop("break-glass ended", errors.New("the root token of break-glass was revoked by somebody else"), "Find out who did it, and run again.")
	}
	look.Observation.Root, look.root = fsm.LiveRoot, view
	return nil
}

func (o *Observer) lookAtStoredRoot(ctx context.Context, address string, look *Look) (bool, error) {
	stored := look.StoredKeys.Root
	view, err := o.access.With(address, stored.Token)
	if err != nil {
		return false, err
	}
	identity, alive, err := lookUp(ctx, view)
	if err != nil {
		return false, fmt.Errorf("looking up the root token: %w", err)
	}
	look.Observation.Root = fsm.DeadRoot
	if !alive {
		return false, o.lookForRightAnswer(ctx, address, look)
	}
	look.Observation.Root, look.root = fsm.LiveRoot, view
	if stored.Accessor != identity.Accessor {
		look.Unsettled.Accessor = identity.Accessor
	}
	return true, nil
}

// lookForRightAnswer searches for the answer whose root token works here, if that of the set in
// force does not and the set was never proven. With auto-unseal that is the only proof: two
// attempts may have been answered, each by a different Vault at these addresses.
func (o *Observer) lookForRightAnswer(ctx context.Context, address string, look *Look) error {
	keys := look.StoredKeys
	if keys.Set.ClusterID != "" {
		return nil
	}
	for _, attempt := range otherAnswers(keys) {
		token, err := pgp.Decrypt(attempt.PrivateKey, attempt.Answer.Root)
		if err != nil {
			o.setting.Log.Warn("an init response on record does not open", "attempt_id", attempt.ID, "error", err.Error())
			continue
		}
		alive, err := o.works(ctx, address, token)
		if err != nil {
			return fmt.Errorf("looking up the root token of another attempt: %w", err)
		}
		if alive {
			look.Unsettled.Opens = attempt.ID
			return nil
		}
	}
	return nil
}

func (o *Observer) works(ctx context.Context, address string, token secret.Value) (bool, error) {
	view, err := o.access.With(address, token)
	if err != nil {
		return false, err
	}
	_, alive, err := lookUp(ctx, view)
	return alive, err
}

// lookUp looks up a root token, and reports whether it is alive. It asks in the root namespace: that
// of the seed may not exist yet.
func lookUp(ctx context.Context, view vault.View) (vault.Identity, bool, error) {
	identity, err := view.InRoot().Identity(ctx)
	if httpstatus.Of(err) == http.StatusForbidden {
		return identity, false, nil
	}
	return identity, err == nil, err
}

// lookAtRotation checks whether an exchange of the key shares is on record, other than one whose
// new shares wait for their owners.
func (o *Observer) lookAtRotation(ctx context.Context, address string, look *Look) error {
	left := look.StoredKeys.Rotation
	if left == nil {
		return nil
	}
	look.Unsettled.Rotation = true
	if ceremony.HoldsShares(look.StoredKeys) && (left.Set == nil || len(left.Set.Custody) == 0) {
		return nil
	}
	server := cluster.ServerAt(o.servers, address)
	status, err := server.Rekey(ctx, look.Observation.RecoveryKeys, vault.Endpoints{})
	if err != nil && !ceremony.EndpointClosed(err) {
		return fmt.Errorf("looking for a rotation of ours: %w", err)
	}
	if err == nil && status.Started && ceremony.IsOurs(*left, status) {
		look.Unsettled.Rotation = false // its new shares wait for their owners
		return nil
	}
	if ceremony.HoldsShares(look.StoredKeys) {
		return nil
	}
	seal, err := server.SealStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the seal: %w", err)
	}
	fitting := slices.DeleteFunc(ceremony.Candidates(look.StoredKeys), func(set store.KeySet) bool {
		return set.Threshold != seal.Threshold || len(set.Custody) != seal.Shares
	})
	look.Unsettled.Rotation = len(fitting) < 2 // otherwise only the owners can say which one is in force
	return nil
}

// lookAtLogin returns a view with our own login, or none when it is refused permanently.
func (o *Observer) lookAtLogin(ctx context.Context, address string, look *Look) (view vault.View, fresh bool, err error) {
	view, fresh, err = o.access.Ours(ctx, address, look.StoredKeys)
	switch {
	case err == nil:
		o.access.Accepted()
		look.Observation.Login = fsm.LoginWorks
		return view, fresh, nil
	case login.Refused(err):
		if !o.access.RefusedPermanently() {
			return vault.View{}, false, login.Wait(err)
		}
		look.Observation.Login, look.Observation.LoginAnswer = fsm.LoginRefused, err.Error()
		return vault.View{}, false, nil
	default: // Vault did not answer that, so the refusals before it were not in a row
		o.access.Accepted()
		return vault.View{}, false, err
	}
}

// ownLogin tries our own login at address.
func (o *Observer) ownLogin(ctx context.Context, address string, keys store.Keys) (works bool, answer string, err error) {
	look := &Look{StoredKeys: keys}
	view, _, err := o.lookAtLogin(ctx, address, look)
	return !view.None(), look.Observation.LoginAnswer, err
}
