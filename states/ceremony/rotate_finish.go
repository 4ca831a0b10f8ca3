package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// putInForce gives the new shares back to Vault, which puts all of them in force, and then marks
// them as the set in force.
func (r *rotation) putInForce(ctx context.Context) (store.KeySet, error) {
	given, err := collect(ctx, r.set, r.set.Threshold, r.x.AskNew)
	if err != nil {
		return store.KeySet{}, err
	}
	// The owners may have taken their time, so the state of the rekey is read again.
	status, err := r.at.replica.Rekey(ctx, r.at.recovery, r.at.via)
	if err != nil {
		return store.KeySet{}, r.refused(r.at.via, err)
	}
	if status.VerificationNonce == "" {
		return store.KeySet{}, fault.Wait(errors.New("the rekey whose new shares are stored is no longer in progress"), "Vault was restarted or somebody cancelled it: the present shares stay in force. Run again.")
	}
	for i, share := range given {
		answer, err := r.at.replica.VerifyRekey(ctx, r.at.recovery, r.at.via, status.VerificationNonce, share)
		if vault.Says(err, product.IncorrectNewShares) {
			return store.KeySet{}, fault.Misuse(fmt.Errorf("the given new shares are not accepted by Vault: %w", err), "Nothing was changed: the present shares stay in force. Run again with the new shares, each decrypted by its owner.")
		}
		if err != nil {
			return store.KeySet{}, fmt.Errorf("giving the new shares back: %w", err)
		}
		if i == len(given)-1 && !answer.Complete {
			return store.KeySet{}, errors.New("the new shares were given back to Vault, but it does not report that they are in force")
		}
		point.Reach("rotate.share")
	}
	point.Reach("rotate.verified")
	if err := r.promote(ctx, r.id); err != nil {
		return store.KeySet{}, fmt.Errorf("the new shares are in force and stored, but not marked as such yet: %w", err)
	}
	point.Reach("rotate.done")
	r.notify("RotatedKeys", fmt.Sprintf("New %s keys are in force: %d of %d are needed.", r.set.Kind, r.set.Threshold, max(len(r.set.Shares), len(r.set.Custody))))
	return r.set, nil
}

// promote makes the new shares the set in force, and puts the old one away.
func (a *Administrator) promote(ctx context.Context, id string) error {
	return a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation == nil || keys.Rotation.ID != id || keys.Rotation.Set == nil {
			return errors.New("the record of this rotation is gone")
		}
		PutAway(keys, a.Now(), append([]store.KeySet{*keys.Set}, keys.Rotation.Rivals...)...)
		keys.Set, keys.Rotation = keys.Rotation.Set, nil
		return nil
	})
}

// cancel ends a rotation that failed before its new shares were stored.
func (r *rotation) cancel(ctx context.Context) error {
	if r.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	keys, err := r.Records.Keys(ctx)
	if err != nil {
		return err
	}
	_, err = r.SettleRotation(ctx, r.at.replica, keys, r.at.via.Token)
	return err
}
