package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
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
	cluster, err := b.unsealer.Open(ctx, replica, keys)
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
		cluster, tryErr := b.unsealer.OpenWith(ctx, replica, set)
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
	_, err := b.unsealer.Open(ctx, replica, keys)
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
