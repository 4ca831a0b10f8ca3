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

// unsealing opens sealed replicas, and records which keys opened them.
type unsealing struct {
	opener   *Opener
	records  *held
	delivery *Delivery
}

// act opens all sealed replicas at once. It also brings back a standby of a running cluster.
func (u *unsealing) act(ctx context.Context, look *Look) error {
	keys := look.StoredKeys
	if look.Locked != nil {
		return look.Locked
	}
	if keys.Set == nil {
		return errors.New("no keys are stored")
	}
	var sealed []cluster.Replica
	for _, replica := range look.Observation.Replicas.ToUnseal() {
		sealed = append(sealed, u.opener.members.At(replica.Address))
	}
	errs := make([]error, len(sealed))
	clusters := make([]string, len(sealed))
	cluster.Each(sealed, func(i int, replica cluster.Replica) {
		opened, err := u.unsealAny(ctx, replica, keys)
		if err != nil {
			errs[i] = fmt.Errorf("unsealing %s: %w", replica.Address(), err)
		}
		clusters[i] = opened
	})
	point.Reach("unseal.done")
	errs = append(errs, u.rememberCluster(ctx, *keys.Set, clusters))
	return errors.Join(errs...)
}

// rememberCluster stores the ID of the cluster that our shares have opened. From then on no token
// is sent to a server of another cluster.
func (u *unsealing) rememberCluster(ctx context.Context, set store.KeySet, opened []string) error {
	id := strings.Join(slices.Compact(slices.DeleteFunc(opened, func(id string) bool { return id == "" })), " ")
	if set.ClusterID != "" || id == "" || strings.Contains(id, " ") {
		return nil
	}
	return u.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil && keys.Set.ClusterID == "" {
			keys.Set.ClusterID = id
		}
		return nil
	})
}

// unsealAny opens a replica with the set in force. If the replica refuses that, it tries the
// answers of other attempts: only Vault can say which of several answers is its own.
func (u *unsealing) unsealAny(ctx context.Context, replica cluster.Replica, keys store.Keys) (string, error) {
	opened, err := u.opener.unsealer.Open(ctx, replica, keys)
	symptom, ok := errors.AsType[*fsm.Symptom](err)
	if !ok || symptom.Kind != fsm.SharesRefused {
		return opened, err
	}
	id, opened, err := u.opener.tryAnswers(ctx, replica, keys, err)
	if err != nil || id == "" {
		return opened, err
	}
	return opened, u.delivery.makeSet(ctx, id, opened)
}
