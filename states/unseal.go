package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// unseal opens every sealed replica, all at once. It is also how a standby of a
// running cluster is brought back.
func (b *Bootstrap) unseal(ctx context.Context, look *Look) error {
	keys := look.StoredKeys
	if keys.Set == nil {
		return errors.New("no keys are stored")
	}
	var sealed []cluster.Replica
	for _, replica := range look.Observation.Replicas.ToUnseal() {
		sealed = append(sealed, b.At(replica.Address))
	}
	errs := make([]error, len(sealed))
	clusters := make([]string, len(sealed))
	cluster.Each(sealed, func(i int, replica cluster.Replica) {
		cluster, err := b.unsealAny(ctx, replica, keys)
		if err != nil {
			errs[i] = fmt.Errorf("unsealing %s: %w", replica.Address(), err)
		}
		clusters[i] = cluster
	})
	point.Reach("unseal.done")
	errs = append(errs, b.rememberCluster(ctx, *keys.Set, clusters))
	return errors.Join(errs...)
}

// rememberCluster stores the ID of the cluster that our shares have opened. From
// then on a server of another cluster is shown no token.
func (b *Bootstrap) rememberCluster(ctx context.Context, set store.KeySet, opened []string) error {
	id := strings.Join(slices.Compact(slices.DeleteFunc(opened, func(id string) bool { return id == "" })), " ")
	if set.ClusterID != "" || id == "" || strings.Contains(id, " ") {
		return nil
	}
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil && keys.Set.ClusterID == "" {
			keys.Set.ClusterID = id
		}
		return nil
	})
}

// Tend joins and unseals the replicas that lag behind a running cluster.
func (b *Bootstrap) Tend(ctx context.Context, look *Look) error {
	b.join(ctx, look.Observation)
	if len(look.Observation.Replicas.ToUnseal()) == 0 {
		return nil
	}
	return b.unseal(ctx, look)
}

// unsealAny opens a replica with the set in force. If the replica refuses that, it tries what
// other attempts were answered with: which of several answers belongs to the Vault that is
// there, only Vault can say.
func (b *Bootstrap) unsealAny(ctx context.Context, replica cluster.Replica, keys store.Keys) (string, error) {
	cluster, err := b.unsealEither(ctx, replica, keys)
	finding, ok := errors.AsType[*fsm.Finding](err)
	if !ok || finding.Kind != fsm.SharesRefused {
		return cluster, err
	}
	id, cluster, err := b.tryAnswers(ctx, replica, keys, err)
	if err != nil || id == "" {
		return cluster, err
	}
	return cluster, b.makeSet(ctx, id, cluster)
}

// tryAnswers opens a replica with what other attempts were answered with, and returns which
// one has opened it. It writes no record. refused is the error if none does.
func (b *Bootstrap) tryAnswers(ctx context.Context, replica cluster.Replica, keys store.Keys, refused error) (id, cluster string, err error) {
	for _, attempt := range otherAnswers(keys) {
		set, _, openErr := b.open(*attempt, entryOf(*attempt))
		if openErr != nil {
			b.Log.Warn("an init response on record does not open", "attempt_id", attempt.ID, "error", openErr.Error())
			continue
		}
		b.Log.Warn("the stored shares do not open it: trying those of another attempt", "replica", replica.Address(), "attempt_id", attempt.ID)
		cluster, tryErr := b.unsealOne(ctx, replica, set)
		if tryErr == nil {
			return attempt.ID, cluster, nil
		}
		if finding, ok := errors.AsType[*fsm.Finding](tryErr); !ok || finding.Kind != fsm.SharesRefused {
			return "", "", tryErr
		}
	}
	return "", "", refused
}

// openOne opens a replica with any of the sets of keys that may be in force, and writes no
// record.
func (b *Bootstrap) openOne(ctx context.Context, replica cluster.Replica, keys store.Keys) error {
	_, err := b.unsealEither(ctx, replica, keys)
	finding, ok := errors.AsType[*fsm.Finding](err)
	if !ok || finding.Kind != fsm.SharesRefused {
		return err
	}
	_, _, err = b.tryAnswers(ctx, replica, keys, err)
	return err
}

// OpenSealed opens the sealed replicas of a look without the Lease, and writes no record.
func (b *Bootstrap) OpenSealed(ctx context.Context, look *Look) error {
	if look.StoredKeys.Set == nil {
		return errors.New("no keys are stored")
	}
	var errs []error
	for _, replica := range look.Observation.Replicas.ToUnseal() {
		if err := b.openOne(ctx, b.At(replica.Address), look.StoredKeys); err != nil {
			errs = append(errs, fmt.Errorf("unsealing %s: %w", replica.Address, err))
		}
	}
	return errors.Join(errs...)
}

// unsealOne gives one replica as many shares as it asks for, and no more. It returns
// the ID of the cluster that they opened, if Vault says it.
func (b *Bootstrap) unsealOne(ctx context.Context, replica cluster.Replica, set store.KeySet) (string, error) {
	status, err := replica.SealStatus(ctx)
	if err != nil || !status.Sealed {
		return "", err
	}
	if err := b.canUnseal(replica, status, set); err != nil {
		return "", err
	}
	if err := b.forgetProgress(ctx, replica, status); err != nil {
		return "", err
	}
	return b.giveShares(ctx, replica, set, status.Threshold)
}

// canUnseal says why our shares cannot open a sealed replica.
func (b *Bootstrap) canUnseal(replica cluster.Replica, status vault.SealStatus, set store.KeySet) error {
	switch {
	case status.Recovery:
		return fault.Wait(fmt.Errorf("its seal (%s) opens it, not our keys", status.Type),
			"Waiting for auto-unseal. If it does not come, look at the server's log: the KMS or the other Vault may be out of reach.")
	case len(set.Custody) > 0:
		return waitForCustodians(replica.Address(), set, b.WaitForUnseal)
	case set.Kind == store.RecoveryKeys:
		return &fsm.Finding{Kind: fsm.SharesRefused, Replica: replica.Address(), Err: errors.New("we hold recovery keys, but its seal wants unseal keys")}
	case status.Threshold > len(set.Shares):
		return &fsm.Finding{Kind: fsm.SharesRefused, Replica: replica.Address(),
			Err: fmt.Errorf("it asks for %d shares, we hold %d", status.Threshold, len(set.Shares))}
	default:
		return nil
	}
}

// forgetProgress has a replica forget shares that somebody gave it and left there.
func (b *Bootstrap) forgetProgress(ctx context.Context, replica cluster.Replica, status vault.SealStatus) error {
	if status.Progress == 0 {
		return nil
	}
	b.Log.Warn("forgetting the shares of an unsealing that was not finished", "replica", replica.Address(), "progress", status.Progress)
	if _, err := replica.ResetUnseal(ctx); err != nil {
		return fmt.Errorf("resetting: %w", err)
	}
	return nil
}

func (b *Bootstrap) giveShares(ctx context.Context, replica cluster.Replica, set store.KeySet, threshold int) (string, error) {
	for _, share := range set.Shares[:threshold] {
		status, err := replica.Unseal(ctx, share)
		if err != nil {
			return "", unsealAnswer(replica.Address(), err)
		}
		if !status.Sealed {
			b.Log.Info("unsealed", "replica", replica.Address())
			return status.ClusterID, nil
		}
		point.Reach("unseal.share")
	}
	// A raft member that joins takes the shares first and opens when the leader
	// has answered its challenge.
	return "", fault.Wait(errors.New("it has all shares and is still sealed"), "Waiting for it to join the raft cluster.")
}
