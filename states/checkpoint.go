package states

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// recording keeps the checkpoint.
type recording struct {
	setting  *Setting
	records  *held
	observer *Observer
	// root is what rootSince has just returned to NameRoot, for finish, which follows.
	root *time.Time
	// warned is the time in the latest warning that a root token is stored.
	warned time.Time
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
	root, err := r.rootSince(ctx)
	if err != nil {
		return err
	}
	err = r.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.State, c.Since, c.RootSince = string(t.To), now, root
		r.noteGrowth(c)
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

// rootSince returns since when the root token of the first run is stored; zero if it is not. That takes
// no key: who can open the record may be away.
func (r *recording) rootSince(ctx context.Context) (time.Time, error) {
	keys, err := r.records.Outline(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the keys: %w", err)
	}
	return keys.RootSince(), nil
}

// noteGrowth has the ledger say whether our policy grows with the seed, by the policy that is made
// from it. It counts as taken over, so that no version of this program prunes it.
func (r *recording) noteGrowth(c *store.Checkpoint) {
	seen, id := r.observer.own.growth, object.ID(SeedPolicyID(r.setting.Name))
	switch {
	case seen == nil:
	case *seen == growthOff:
		delete(c.Ledger, string(id))
	default:
		own(c, []object.ID{id}, store.TakenOver)
	}
}

// NameRoot adds to the failure of a run that a root token is stored, and since when. seen is the last
// look of the run; nil if there was none.
func NameRoot(ctx context.Context, b *Bootstrap, seen *Look, failure error) error {
	if kind := fault.KindOf(failure); failure == nil || b.setting.Keyless || kind == fault.Busy {
		return failure
	}
	var since time.Time
	// Where keys are stored without a root token, no act stores one. One that was stored may have been
	// forgotten since, as by an act that has found it dead.
	if seen == nil || seen.StoredKeys.Set == nil || seen.StoredKeys.Root != nil {
		var err error
		if since, err = b.recording.rootSince(ctx); err != nil {
			return failure
		}
	}
	if b.recording.root = &since; since.IsZero() {
		return failure
	}
	if !since.Equal(b.recording.warned) {
		b.recording.warned = since
		b.setting.Log.Warn("the root token is stored", "since", since.Format(time.RFC3339), "remedy", "A run revokes it as soon as our own login is proven: remove what the error names, and run again.")
	}
	return fmt.Errorf("%w; the root token is stored since %s, until our own login is proven", failure, since.Format(time.RFC3339))
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
	var root time.Time
	var rootErr error
	if known := r.root; known != nil {
		root, r.root = *known, nil
	} else {
		root, rootErr = r.rootSince(ctx)
	}
	var another *store.Mirror // what the Lease is to show of another seed
	err := r.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		if rootErr == nil {
			c.RootSince = root
		}
		r.noteGrowth(c)
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
