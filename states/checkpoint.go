package states

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Enter saves the checkpoint and mirrors it onto the Lease.
func (b *Bootstrap) Enter(ctx context.Context, look *Look, t fsm.Transition) error {
	active, _ := look.Observation.Replicas.Active()
	now := b.Now().UTC()
	digest := ""
	if !t.To.Before(fsm.Seeded) {
		digest = b.desired.digest()
	}
	var mirror store.Mirror
	err := b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.State, c.Since = string(t.To), now
		if active.ClusterID != "" {
			c.ClusterID = active.ClusterID
		}
		if !t.To.Before(fsm.Seeded) {
			c.SeedDigest = digest
		}
		c.Remember(store.Transition{At: now, From: string(t.From), Event: string(t.Event), To: string(t.To), Took: t.Took, Holder: b.Holder})
		mirror = store.Mirror{State: c.State, Since: c.Since, SeedDigest: c.SeedDigest}
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.Records.Show(ctx, mirror); err != nil {
		b.Log.Warn("the Lease does not show the new state", "error", err.Error())
	}
	point.Reach("entered." + string(t.To))
	return nil
}

// Finish records how a run ended: its failure, or that an earlier failure is over. A failure
// that is on record already keeps the time at which it came first.
func (b *Bootstrap) Finish(ctx context.Context, failure error) error {
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		if failure == nil {
			c.LastError = nil
			return nil
		}
		now := &store.Failure{
			Kind: fault.KindOf(failure).String(), Name: fault.NameOf(failure),
			Message: failure.Error(), Remedy: fault.RemedyOf(failure), At: b.Now().UTC(),
		}
		if before := c.LastError; before != nil {
			now.At = before.At
			if *now == *before {
				return nil
			}
			now.At = b.Now().UTC()
		}
		c.LastError = now
		return nil
	})
}
