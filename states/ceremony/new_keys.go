package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// MakeKeys has a server that unseals itself and has no recovery keys, such as an OpenBao that
// initialized itself, make some, and stores them. x.Token must be allowed to: whoever may is root
// there. Keys that are stored already stay.
//
// It is Rotate with no present shares: the new ones arrive encrypted, and count once they are given
// back, which is after they are stored. An answer that is lost costs nothing.
func MakeKeys(ctx context.Context, a *Administrator, x Exchange) error {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set != nil && !keys.Set.Shareless() && keys.Rotation == nil {
		a.Log.Info("keys are stored already")
		return nil
	}
	replicas, err := cluster.Look(ctx, a.Cluster, nil)
	if err != nil {
		return err
	}
	if err := adoptable(replicas); err != nil {
		return err
	}
	active, found := replicas.Active()
	if !found {
		return fault.Wait(errors.New("no replica is active"), "It unseals itself: check whether its KMS, or the other Vault, is reachable.")
	}
	replica := a.Cluster.At(active.Address)
	seal, err := replica.SealStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the seal: %w", err)
	}
	if keys.Set == nil {
		switch {
		case !seal.Recovery:
			return fault.Misuse(fmt.Errorf("%s has unseal keys, and is opened with them", active.Address), "Nothing was changed. Adopt it with its keys: --keys-from-secret or --keys-file.")
		case seal.Threshold != 0:
			return fault.Misuse(fmt.Errorf("%s has recovery keys (%d of %d are needed)", active.Address, seal.Threshold, seal.Shares), "Nothing was changed. Adopt it with these: --keys-from-secret or --keys-file.")
		}
		if keys, err = recordShareless(ctx, a, active.ClusterID); err != nil {
			return err
		}
	}
	set, err := a.rotateAt(ctx, replica, keys, x)
	if err != nil {
		return err
	}
	a.Log.Info("recovery keys are made and stored", "shares", max(len(set.Shares), len(set.Custody)), "threshold", set.Threshold)
	return nil
}

// recordShareless records that a server has no recovery keys.
func recordShareless(ctx context.Context, a *Administrator, clusterID string) (store.Keys, error) {
	err := a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		return takeOver(keys, store.KeySet{Kind: store.RecoveryKeys, ClusterID: clusterID, Created: a.Now().UTC()})
	})
	if err != nil {
		return store.Keys{}, err
	}
	point.Reach("adopt.recorded")
	return a.Records.Keys(ctx)
}
