package states

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// recording keeps the checkpoint.
type recording struct {
	setting  *Setting
	records  *held
	observer *Observer
}

// enter saves the checkpoint and mirrors it onto the Lease.
func (r *recording) enter(ctx context.Context, look *Look, t fsm.Transition) error {
	active, _ := look.Observation.Replicas.Active()
	now := r.setting.Now().UTC()
	digest := ""
	if !t.To.Before(fsm.Seeded) {
		digest = r.observer.desired.digest()
	}
	var mirror store.Mirror
	err := r.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.State, c.Since = string(t.To), now
		if active.ClusterID != "" {
			c.ClusterID = active.ClusterID
		}
		if !t.To.Before(fsm.Seeded) {
			c.Namespace = r.observer.desired.recordedNamespace()
			if digest != "" {
				c.SeedDigest = digest
			}
		}
		c.Remember(store.Transition{At: now, From: string(t.From), Event: string(t.Event), To: string(t.To), Took: t.Took, Holder: r.setting.Holder})
		mirror = store.Mirror{State: c.State, Since: c.Since, SeedDigest: c.SeedDigest}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.records.Show(ctx, mirror); err != nil {
		r.setting.Log.Warn("the Lease does not show the new state", "error", err.Error())
	}
	point.Reach("entered." + string(t.To))
	return nil
}

// finish records how a run ended: its failure, or that it recovered from an earlier one. A failure
// that is already on record keeps the time at which it first occurred. applied is whether a run
// without a failure has applied the seed: one that has changed without any object of it differing
// enters no state, and its digest is recorded here.
func (r *recording) finish(ctx context.Context, failure error, applied bool) error {
	digest := ""
	if failure == nil && applied {
		digest = r.observer.desired.digest()
	}
	var another *store.Mirror // what the Lease is to show of another seed
	err := r.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		if failure == nil {
			c.LastError = nil
			if digest != "" && digest != c.SeedDigest {
				c.SeedDigest = digest
				another = &store.Mirror{State: c.State, Since: c.Since, SeedDigest: digest}
			}
			return nil
		}
		now := &store.Failure{
			Kind: fault.KindOf(failure).String(), Name: fault.NameOf(failure),
			Message: failure.Error(), Remedy: fault.RemedyOf(failure), At: r.setting.Now().UTC(),
		}
		if before := c.LastError; before != nil {
			now.At = before.At
			if *now == *before {
				return nil
			}
			now.At = r.setting.Now().UTC()
		}
		c.LastError = now
		return nil
	})
	if err != nil || another == nil {
		return err
	}
	if err := r.records.Show(ctx, *another); err != nil {
		r.setting.Log.Warn("the Lease does not show the new seed", "error", err.Error())
	}
	return nil
}
