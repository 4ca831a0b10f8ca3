package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// Volumes hold the data of Vault's servers.
type Volumes interface {
	// Storage returns what the server at address keeps its data in; it fails if that
	// must not be emptied.
	Storage(ctx context.Context, address, volume string) (workload.Storage, error)
	// Empty has a volume created again without data.
	Empty(ctx context.Context, storage workload.Storage) error
}

// Loss says what to do about an initialization whose keys are lost.
type Loss struct {
	// Reset is whether to delete the storage that nobody can open any more, and to start over. It
	// needs Volumes.
	Reset bool
	// Volume is the name of the pods' volume that holds Vault's storage.
	Volume string
	// Volumes hold the data of the replicas; nil outside Kubernetes.
	Volumes Volumes
}

// resetting starts over from keys that are lost.
type resetting struct {
	setting  *Setting
	records  *held
	loss     Loss
	attempts *attempts
}

// emptyTime is how long the pods may take to come back without data.
const emptyTime = 5 * time.Minute

// rescue starts over from an initialization of ours whose keys are lost, if that is what the Loss
// says. It deletes nothing unless the lost attempt is on record, its maker is gone, no replica is
// open or silent, and the one that is initialized is the target of the attempt. What is about to be
// deleted is recorded first, by its UID, so that a rerun deletes the same storage and nothing else.
func (r *resetting) rescue(ctx context.Context, look *Look, lost error) error {
	if !r.loss.Reset || look.Observation.Keys != fsm.OpenIntent || !slices.Contains([]string{fsm.NameKeysLost, fsm.NameHalfInitialized}, fault.NameOf(lost)) {
		return lost
	}
	keys, err := r.records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set != nil || keys.Attempt == nil {
		return fault.Wait(errors.New("the keys arrived in the meantime"), "Looking again.")
	}
	if err := neverUsed(keys, look.Checkpoint); err != nil {
		return keepLost(lost, err)
	}
	attempt := *keys.Attempt
	if attempt.Emptied == nil {
		if attempt, err = r.condemn(ctx, look.Observation, attempt, lost); err != nil {
			return err
		}
	}
	if r.setting.Now().Sub(attempt.EmptiedAt) > emptyTime {
		return fmt.Errorf("its storage was deleted at %s, but it has come back with data: %w", attempt.EmptiedAt.Format(time.RFC3339), lost)
	}
	point.Reach("reset.recorded")
	storage := workload.Storage(*attempt.Emptied)
	r.setting.Log.Warn("deleting the storage of a Vault whose keys are lost", "replica", storage.Address, "pod", storage.Pod, "claim", storage.Claim, "attempt_id", attempt.ID)
	if err := r.loss.Volumes.Empty(ctx, storage); err != nil {
		return fmt.Errorf("deleting the storage of %s: %w", storage.Address, err)
	}
	point.Reach("reset.deleted")
	return fault.Wait(errors.New("starting over: the storage of a Vault whose keys are lost is deleted"),
		"Waiting for its pod to come back without data.")
}

// condemn decides which storage to delete, makes sure that it may be deleted, and records it with
// the attempt.
func (r *resetting) condemn(ctx context.Context, o fsm.Observation, attempt store.Attempt, lost error) (store.Attempt, error) {
	if err := r.makerIsGone(ctx, attempt); err != nil {
		return attempt, err
	}
	if err := condemned(o, attempt, lost); err != nil {
		return attempt, err
	}
	storage, err := r.loss.Volumes.Storage(ctx, attempt.Target, r.loss.Volume)
	if errors.Is(err, workload.ErrNoPod) {
		return attempt, keepLost(lost, err)
	}
	if err != nil {
		return attempt, err
	}
	err = r.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil || keys.Attempt == nil || keys.Attempt.ID != attempt.ID {
			return fault.Wait(errors.New("the keys arrived in the meantime"), "Looking again.")
		}
		emptied := store.Emptied(storage)
		keys.Attempt.Emptied, keys.Attempt.EmptiedAt = &emptied, r.setting.Now().UTC()
		attempt = *keys.Attempt
		return nil
	})
	return attempt, err
}

// condemned fails unless the target of the attempt is the only replica that holds anything, and
// nobody can have opened it.
func condemned(o fsm.Observation, attempt store.Attempt, lost error) error {
	var addresses []string
	for _, symptom := range o.Symptoms {
		if symptom.Kind == fsm.StorageHasState {
			addresses = append(addresses, symptom.Replica)
		}
	}
	for _, replica := range o.Replicas {
		switch {
		case replica.Health == fsm.NoAnswer:
			return fault.Wait(fmt.Errorf("%w (%s does not answer)", lost, replica.Address), "Nothing is deleted while a replica is silent.")
		case replica.Health.Unsealed():
			return lost
		case replica.Health.Initialized():
			addresses = append(addresses, replica.Address)
		}
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	if len(addresses) != 1 || addresses[0] != attempt.Target {
		return keepLost(lost, fmt.Errorf("the attempt was made on %s, and what is initialized is %s", attempt.Target, strings.Join(addresses, ", ")))
	}
	return nil
}

// keepLost returns the error of a loss that we must not start over from.
func keepLost(lost, why error) error {
	return fault.Stop(fault.NameOf(lost), fmt.Errorf("%w; nothing was deleted: %w", lost, why), fault.RemedyOf(lost))
}

// makerIsGone makes sure that nobody may still bring the keys: the process that made the attempt is
// this one, or has ended, or its time has run out by our own clock.
func (r *resetting) makerIsGone(ctx context.Context, attempt store.Attempt) error {
	grace, err := r.attempts.graceOf(ctx, attempt)
	if err != nil || grace == 0 {
		return err
	}
	return fault.Wait(fmt.Errorf("the process that initialized Vault (%s) may still bring its keys", maker(attempt)),
		fmt.Sprintf("Waiting until its process or its pod has ended, or for %s.", grace.Round(time.Second)))
}

// neverUsed fails if anything on record says that the Vault of these records was ever open, or that
// its keys were ever known. Records may be older copies that somebody has restored: a Vault that
// was restarted looks like one whose initialization was cut off.
func neverUsed(keys store.Keys, checkpoint store.Checkpoint) error {
	for _, attempt := range keys.Attempts() {
		if attempt.Answer != nil || attempt.Status == store.AttemptStored {
			return fmt.Errorf("the attempt %q was answered", attempt.ID)
		}
	}
	state := fsm.State(checkpoint.State)
	switch {
	case checkpoint.ClusterID != "":
		return fmt.Errorf("the checkpoint knows this Vault as the cluster %s, so its keys were known once, and this keys record is older", checkpoint.ClusterID)
	case fsm.Initialized.Before(state):
		return fmt.Errorf("the checkpoint says that this Vault was %s, so its keys were known once, and this keys record is older", state)
	case state != fsm.Uninitialized && state != "" && wasOpen(checkpoint.History):
		return errors.New("the checkpoint says that this Vault was unsealed before, so its keys were known once, and this keys record is older")
	default:
		return nil
	}
}

// unconfirmed reports whether a history has an initialization, and no hardened state since.
func unconfirmed(history []store.Transition) bool {
	for _, transition := range slices.Backward(history) {
		if fsm.State(transition.To) == fsm.Hardened {
			return false
		}
		if fsm.Event(transition.Event) == fsm.Initialize {
			return true
		}
	}
	return false
}

// wasOpen reports whether a history, back to the latest initialization, has a state after
// initialized.
func wasOpen(history []store.Transition) bool {
	for _, transition := range slices.Backward(history) {
		if fsm.Initialized.Before(fsm.State(transition.To)) {
			return true
		}
		if fsm.Event(transition.Event) == fsm.Initialize {
			return false
		}
	}
	return false
}
