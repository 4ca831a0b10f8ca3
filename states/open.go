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
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Opener opens sealed replicas with the keys on record. It needs no Lease, and writes no record:
// giving a share twice is harmless.
type Opener struct {
	setting   *Setting
	members   *cluster.Cluster
	unsealer  *ceremony.Unsealer
	responses *responses
}

// NewOpener returns an Opener of the replicas in members, for a process that initializes
// nothing.
func NewOpener(setting *Setting, members *cluster.Cluster) *Opener {
	return &Opener{setting, members, &ceremony.Unsealer{Log: setting.Log}, &responses{now: setting.Now}}
}

// tryAnswers opens a replica with the answers of other attempts, and returns the ID of the one that
// opened it. It writes no record. refused is the error if none does.
func (o *Opener) tryAnswers(ctx context.Context, replica cluster.Replica, keys store.Keys, refused error) (id, opened string, err error) {
	for _, attempt := range otherAnswers(keys) {
		set, _, openErr := o.responses.open(*attempt, entryOf(*attempt))
		if openErr != nil {
			o.setting.Log.Warn("an init response on record does not open", "attempt_id", attempt.ID, "error", openErr.Error())
			continue
		}
		o.setting.Log.Warn("the stored shares do not open it: trying those of another attempt", "replica", replica.Address(), "attempt_id", attempt.ID)
		opened, tryErr := o.unsealer.OpenWith(ctx, replica, set)
		if tryErr == nil {
			return attempt.ID, opened, nil
		}
		if symptom, ok := errors.AsType[*fsm.Symptom](tryErr); !ok || symptom.Kind != fsm.SharesRefused {
			return "", "", tryErr
		}
	}
	return "", "", refused
}

// openOne opens a replica with any of the sets of keys that may be in force, and writes no
// record.
func (o *Opener) openOne(ctx context.Context, replica cluster.Replica, keys store.Keys) error {
	_, err := o.unsealer.Open(ctx, replica, keys)
	symptom, ok := errors.AsType[*fsm.Symptom](err)
	if !ok || symptom.Kind != fsm.SharesRefused {
		return err
	}
	_, _, err = o.tryAnswers(ctx, replica, keys, err)
	return err
}

// OpenSealed opens the sealed replicas of a look without the Lease, and writes no record.
func (o *Opener) OpenSealed(ctx context.Context, look *Look) error {
	if look.Locked != nil {
		return look.Locked
	}
	if look.StoredKeys.Set == nil {
		return errors.New("no keys are stored")
	}
	var errs []error
	for _, replica := range look.Observation.Replicas.ToUnseal() {
		if err := o.openOne(ctx, o.members.At(replica.Address), look.StoredKeys); err != nil {
			errs = append(errs, fmt.Errorf("unsealing %s: %w", replica.Address, err))
		}
	}
	return errors.Join(errs...)
}

// ErrNoKeys means that there is nothing to unseal with.
var ErrNoKeys = errors.New("no keys are stored yet")

// OpenOwn unseals the one replica that this process runs beside, if it is sealed and the stored
// keys are its own, and returns its health before that. It needs no Lease, since it changes only
// that replica and giving a share twice is harmless, and it writes no record. Whether there is a
// cluster to join or to initialize is for a run to decide, which sees all replicas.
func (o *Opener) OpenOwn(ctx context.Context, records RecordReader) (fsm.Health, error) {
	replicas, err := cluster.Look(ctx, o.members, nil)
	if err != nil {
		return fsm.NoAnswer, err
	}
	if len(replicas) != 1 {
		return fsm.NoAnswer, fault.Misuse(fmt.Errorf("our own replica has %d addresses", len(replicas)), "Name one.")
	}
	own := replicas[0]
	switch {
	case own.Health == fsm.NoAnswer:
		return own.Health, fault.Wait(fmt.Errorf("no answer from %s: %s", own.Address, own.Answer), "Waiting for it to listen.")
	case own.Health != fsm.Sealed && own.Health != fsm.NotInitialized:
		return own.Health, nil
	}
	keys, err := records.Keys(ctx)
	if err != nil {
		return own.Health, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set == nil {
		return own.Health, fault.Wait(fmt.Errorf("%s is %s, and %w", own.Address, own.Health, ErrNoKeys),
			"A run, or the leading watch, initializes the cluster and unseals it, or 'adopt' stores its keys.")
	}
	if own.Health == fsm.NotInitialized {
		return own.Health, fault.Wait(fmt.Errorf("%s is uninitialized, and keys are stored", own.Address),
			"Waiting until it joins the cluster, by retry_join or by a run.")
	}
	if err := o.openOne(ctx, o.members.At(own.Address), keys); err != nil {
		return own.Health, fmt.Errorf("unsealing %s: %w", own.Address, err)
	}
	return own.Health, nil
}

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
