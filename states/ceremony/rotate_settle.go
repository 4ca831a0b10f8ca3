package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// SettleRotation finds out how far a rotation that was cut off has come, and returns the keys as
// they are then. A rotation remains on record if its new shares wait for their owners to give them
// back, or if only the owners can say which set is in force.
func (a *Administrator) SettleRotation(ctx context.Context, replica cluster.Replica, keys store.Keys, token secret.Value) (store.Keys, error) {
	left := keys.Rotation
	if left == nil {
		return keys, nil
	}
	recovery := keys.Set.Kind == store.RecoveryKeys
	way, status, err := a.enterRekey(ctx, replica, keys, recovery, token)
	defer way.close(ctx)
	switch {
	case err != nil && !EndpointClosed(err):
		return keys, fmt.Errorf("checking for a rotation of ours: %w", err)
	case err == nil && status.Started && IsOurs(*left, status):
		if left.Set != nil && len(left.Set.Custody) > 0 {
			return keys, nil
		}
		if err := replica.CancelRekey(ctx, recovery, way.Endpoints, status.Nonce); err != nil {
			return keys, fmt.Errorf("cancelling a rotation of ours: %w", err)
		}
		a.Log.Warn("a rotation of the key shares that was cut off is cancelled: the present ones stay in force", "holder", left.Holder)
		return a.forgetRotation(ctx, left.ID)
	case left.Set == nil:
		return a.forgetRotation(ctx, left.ID)
	case err != nil && len(left.Set.Custody) > 0: // Vault may still wait for the new shares
		a.Log.Warn("a rotation is on record, and the server does not let us see whether it waits for its new shares: every set is kept", "holder", left.Holder, "error", err.Error(),
			"remedy", "'vault-bootstrap keys rotate' continues it, with --token-file.")
		return keys, nil
	}
	return a.settleByProof(ctx, replica, keys, way.Token)
}

// IsOurs reports whether the rekey in progress is that of the record.
func IsOurs(left store.Rotation, status vault.RekeyStatus) bool {
	if left.Nonce != "" {
		return status.Nonce == left.Nonce
	}
	return slices.Equal(status.Fingerprints, left.Fingerprints)
}

// settleByProof lets Vault decide which set is in force. Sets whose shares we hold can be proven;
// if Vault refuses all of them, it is one of the sets that custodians hold.
func (a *Administrator) settleByProof(ctx context.Context, replica cluster.Replica, keys store.Keys, token secret.Value) (store.Keys, error) {
	seal, err := replica.SealStatus(ctx)
	if err != nil {
		return keys, fmt.Errorf("reading the seal: %w", err)
	}
	sets := Candidates(keys)
	var theirs []int
	for i, set := range slices.Backward(sets) {
		switch {
		case set.Threshold != seal.Threshold:
			continue
		case len(set.Shares) == 0:
			if len(set.Custody) == seal.Shares {
				theirs = append(theirs, i)
			}
			continue
		}
		err := a.proveByRekey(ctx, replica, keys, keys.Set.Kind == store.RecoveryKeys, token, set.Shares[:set.Threshold])
		if err == nil {
			return a.markInForce(ctx, keys, i, true)
		}
		if fault.NameOf(err) != nameWrongShares {
			return keys, err
		}
	}
	switch {
	case len(theirs) == 1:
		return a.markInForce(ctx, keys, theirs[0], false)
	case len(theirs) == 0 && slices.ContainsFunc(sets, func(set store.KeySet) bool { return len(set.Shares) > 0 }):
		return keys, fsm.ForeignShares(fsm.Symptom{Kind: fsm.SharesRefused, Replica: replica.Address(), Err: errors.New("neither the present shares nor those of a rotation are in force")})
	case len(keys.Rotation.Set.Shares) > 0: // not in force, and the set it was to replace is in doubt
		return a.forgetRotation(ctx, keys.Rotation.ID)
	}
	a.Log.Warn("a rotation was cut off, and only the owners of the shares can say which set is in force: every set is kept, and none is marked",
		"remedy", "Run 'vault-bootstrap keys rotate' with --pgp-keys and the shares that Vault accepts: its new set replaces them all.")
	return keys, nil
}

// markInForce makes a candidate the set in force and ends the rotation. proven is whether Vault has
// accepted the candidate's own shares: then a later set was never in force, and opens nothing.
func (a *Administrator) markInForce(ctx context.Context, keys store.Keys, index int, proven bool) (store.Keys, error) {
	left := keys.Rotation
	switch {
	case index == 1:
		a.Log.Warn("a rotation that was cut off is done: the new shares are in force", "holder", left.Holder)
	case index == 0 && proven:
		a.Log.Warn("a rotation that was cut off has changed nothing: the present shares stay in force", "holder", left.Holder)
	default:
		a.Log.Warn("a rotation that was cut off is settled: the other sets are put away", "holder", left.Holder)
	}
	err := a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation == nil || keys.Rotation.ID != left.ID || keys.Rotation.Set == nil {
			return errors.New("the record of this rotation is gone")
		}
		sets := Candidates(*keys)
		chosen := sets[index]
		if index != 0 || !proven {
			PutAway(keys, a.Now(), slices.Delete(sets, index, index+1)...)
		}
		keys.Set, keys.Rotation = &chosen, nil
		return nil
	})
	if err != nil {
		return keys, err
	}
	return a.Records.Keys(ctx)
}

// forgetRotation ends a rotation whose shares are not in force. The sets that were in doubt before
// it stay so.
func (a *Administrator) forgetRotation(ctx context.Context, id string) (store.Keys, error) {
	err := a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation == nil || keys.Rotation.ID != id {
			return nil
		}
		left := keys.Rotation
		keys.Rotation = nil
		if last := len(left.Rivals) - 1; last >= 0 {
			keys.Rotation = &store.Rotation{ID: newID(), Holder: left.Holder, Started: left.Started, Set: &left.Rivals[last], Rivals: left.Rivals[:last]}
		}
		return nil
	})
	if err != nil {
		return store.Keys{}, err
	}
	return a.Records.Keys(ctx)
}

// refused is the error for a server that does not let us begin a rekey.
func (r *rotation) refused(via vault.Endpoints, err error) error {
	if !EndpointClosed(err) {
		return fmt.Errorf("rekeying %s: %w", r.at.replica.Address(), err)
	}
	return fault.Stop("rotation refused", fmt.Errorf("%s does not let the key shares be exchanged: %w", r.at.replica.Address(), err),
		"Nothing was changed. "+opening(via, err, "rekey", via.RekeyPaths(r.at.recovery)))
}
