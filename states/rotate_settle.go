package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// settleRotation finds out what a rotation that was cut off has come to, and returns the
// keys as they are then. A rotation remains on record only if its new shares wait for
// their owners to give them back.
func (b *Bootstrap) settleRotation(ctx context.Context, replica Replica, keys store.Keys, token secret.Value) (store.Keys, error) {
	left := keys.Rotation
	if left == nil {
		return keys, nil
	}
	recovery := keys.Set.Kind == store.RecoveryKeys
	status, err := replica.Rekey(ctx, recovery, token)
	switch {
	case err != nil && !endpointClosed(err):
		return keys, fmt.Errorf("looking for a rotation of ours: %w", err)
	case err == nil && status.Started && oursToo(*left, status):
		if left.Set != nil && len(left.Set.Custody) > 0 {
			return keys, nil
		}
		if err := replica.CancelRekey(ctx, recovery, token, status.Nonce); err != nil {
			return keys, fmt.Errorf("calling a rotation of ours off: %w", err)
		}
		b.Log.Warn("a rotation of the key shares that was cut off is called off: the present ones stay in force", "holder", left.Holder)
		return b.forgetRotation(ctx, left.ID)
	case left.Set == nil:
		return b.forgetRotation(ctx, left.ID)
	}
	return b.settleByProof(ctx, replica, keys, token)
}

// oursToo reports whether the rekey in progress is that of the record.
func oursToo(left store.Rotation, status vault.RekeyStatus) bool {
	if left.Nonce != "" {
		return status.Nonce == left.Nonce
	}
	return slices.Equal(status.Fingerprints, left.Fingerprints)
}

// settleByProof has Vault say which of two sets is in force: the new one if its last
// share arrived, the old one if it did not.
func (b *Bootstrap) settleByProof(ctx context.Context, replica Replica, keys store.Keys, token secret.Value) (store.Keys, error) {
	left, recovery := keys.Rotation, keys.Set.Kind == store.RecoveryKeys
	if len(left.Set.Shares) == 0 || len(keys.Set.Shares) == 0 {
		return b.settleByShape(ctx, replica, keys)
	}
	seal, err := replica.SealStatus(ctx)
	if err != nil {
		return keys, fmt.Errorf("reading the seal: %w", err)
	}
	a := &adoption{Bootstrap: b, offer: shares.Material{Root: token}}
	for _, candidate := range []*store.KeySet{left.Set, keys.Set} {
		if candidate.Threshold != seal.Threshold {
			continue
		}
		err := a.proveByRekey(ctx, replica, recovery, candidate.Shares[:candidate.Threshold])
		switch {
		case err == nil && candidate == left.Set:
			b.Log.Warn("a rotation that was cut off is done: the new shares are in force", "holder", left.Holder)
			if err := b.promote(ctx, left.ID); err != nil {
				return keys, err
			}
			return b.Records.Keys(ctx)
		case err == nil:
			b.Log.Warn("a rotation that was cut off has changed nothing: the present shares stay in force", "holder", left.Holder)
			return b.forgetRotation(ctx, left.ID)
		case fault.NameOf(err) != nameWrongShares:
			return keys, err
		}
	}
	return keys, fsm.ForeignShares(fsm.Finding{Kind: fsm.SharesRefused, Replica: replica.Address(), Err: errors.New("neither the present shares nor those of a rotation are in force")})
}

// settleByShape is for shares that only their owners can open, with which nothing can
// be proven here: Vault says how many there are and how many it needs.
func (b *Bootstrap) settleByShape(ctx context.Context, replica Replica, keys store.Keys) (store.Keys, error) {
	seal, err := replica.SealStatus(ctx)
	if err != nil {
		return keys, fmt.Errorf("reading the seal: %w", err)
	}
	fits := func(set store.KeySet) bool {
		return set.Threshold == seal.Threshold && max(len(set.Shares), len(set.Custody)) == seal.Shares
	}
	isNew, isOld := fits(*keys.Rotation.Set), fits(*keys.Set)
	switch {
	case isNew && !isOld:
		if err := b.promote(ctx, keys.Rotation.ID); err != nil {
			return keys, err
		}
		return b.Records.Keys(ctx)
	case isOld && !isNew:
		return b.forgetRotation(ctx, keys.Rotation.ID)
	}
	b.Log.Warn("a rotation was cut off, and only the owners of the shares can tell whether the new ones are in force: both sets are kept",
		"remedy", "Run 'vault-bootstrap keys rotate' again, with the shares that Vault takes.")
	return b.keepBoth(ctx, keys)
}

// keepBoth puts the new set away, so that the work can go on and nothing is lost.
func (b *Bootstrap) keepBoth(ctx context.Context, keys store.Keys) (store.Keys, error) {
	id, date := keys.Rotation.ID, b.Now().UTC().Format(time.RFC3339Nano)
	err := b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation == nil || keys.Rotation.ID != id {
			return nil
		}
		if keys.Old == nil {
			keys.Old = map[string]store.KeySet{}
		}
		keys.Old[date] = *keys.Rotation.Set
		keys.Rotation = nil
		return nil
	})
	if err != nil {
		return keys, err
	}
	return b.Records.Keys(ctx)
}

func (b *Bootstrap) forgetRotation(ctx context.Context, id string) (store.Keys, error) {
	err := b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation != nil && keys.Rotation.ID == id {
			keys.Rotation = nil
		}
		return nil
	})
	if err != nil {
		return store.Keys{}, err
	}
	return b.Records.Keys(ctx)
}

// unsealEither opens a replica with the set in force, or with that of a rotation that
// was cut off: until a rotation is settled nobody knows which of the two is in force.
func (b *Bootstrap) unsealEither(ctx context.Context, replica Replica, keys store.Keys) (string, error) {
	cluster, err := b.unsealOne(ctx, replica, *keys.Set)
	finding, ok := errors.AsType[*fsm.Finding](err)
	if !ok || finding.Kind != fsm.SharesRefused || keys.Rotation == nil || keys.Rotation.Set == nil {
		return cluster, err
	}
	b.Log.Warn("the present shares do not open it: trying those of a rotation that was cut off", "replica", replica.Address())
	return b.unsealOne(ctx, replica, *keys.Rotation.Set)
}

// rotateRefused is about a server that lets nobody begin a rekey, or not us.
func rotateRefused(address string, err error) error {
	if !endpointClosed(err) {
		return fmt.Errorf("rekeying %s: %w", address, err)
	}
	return fault.Stop("rotation refused", fmt.Errorf("%s does not let the key shares be exchanged: %w", address, err),
		"Nothing was changed. "+openEndpoint(err, "rekey", "sys/rekey/*", "sys/rekey-recovery-key/*"))
}
