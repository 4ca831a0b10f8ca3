package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// Settle ends, or notes, what a look has found unsettled, and reports whether the world is
// another one now and has to be looked at anew. Only the holder of the Lease settles:
// otherwise the one who left it may be at work.
func (b *Bootstrap) Settle(ctx context.Context, look *Look) (changed bool, err error) {
	left := look.Unsettled
	for _, step := range []struct {
		due bool
		do  func(ctx context.Context, look *Look) (changed bool, err error)
	}{
		{len(left.Answers) > 0, b.settleAnswers},
		{left.Refused != "", b.settleRefusal},
		{left.Open != nil, b.settleLives},
		{left.Opens != "", b.settleSet},
		{left.Accessor != "", b.settleAccessor},
		{left.BreakGlass, b.settleGlass},
		{left.Rotation, b.settleShares},
	} {
		if !step.due {
			continue
		}
		did, err := step.do(ctx, look)
		changed = changed || did
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// settleAnswers brings spooled answers into the record. Beside keys that are there, one
// that cannot be stored does not hold up the rest.
func (b *Bootstrap) settleAnswers(ctx context.Context, look *Look) (bool, error) {
	changed := false
	for _, entry := range look.Unsettled.Answers {
		b.Log.Warn("storing an init response that was spooled", "attempt_id", entry.Attempt)
		err := b.settleAnswer(ctx, entry)
		switch {
		case err == nil:
			changed = true
		case look.StoredKeys.Set == nil:
			return changed, err
		default:
			b.Log.Warn("a spooled init response was not stored; it stays where it is", "attempt_id", entry.Attempt, "error", err.Error())
		}
	}
	return changed, nil
}

func (b *Bootstrap) settleAnswer(ctx context.Context, entry spool.Entry) error {
	if err := b.store(ctx, entry); err != nil {
		return fmt.Errorf("storing a spooled init response: %w", err)
	}
	point.Reach("settle.stored")
	b.unspool(entry.Attempt)
	return nil
}

// settleRefusal notes that Vault has refused an attempt, now that it was found empty
// afterwards: nobody need wait for what becomes of it.
func (b *Bootstrap) settleRefusal(ctx context.Context, look *Look) (bool, error) {
	id := look.Unsettled.Refused
	return true, b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if attempt := keys.AttemptOf(id); attempt != nil && attempt.Status == store.AttemptOpen {
			attempt.Status = store.AttemptRefused
		}
		return nil
	})
}

// settleLives notes in which life each replica is open.
func (b *Bootstrap) settleLives(ctx context.Context, look *Look) (bool, error) {
	present := make([]string, len(look.Observation.Replicas))
	for i, replica := range look.Observation.Replicas {
		present[i] = replica.Address
	}
	return false, b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.RememberOpen(look.Unsettled.Open, present)
		return nil
	})
}

// settleAccessor notes the root token's accessor at its first use: it names the token to
// whoever has to end it, and opens nothing.
func (b *Bootstrap) settleAccessor(ctx context.Context, look *Look) (bool, error) {
	token, accessor := look.StoredKeys.Root.Token, look.Unsettled.Accessor
	return false, b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Root != nil && keys.Root.Token.Equal(token) {
			keys.Root.Accessor = accessor
		}
		return nil
	})
}

// settleSet makes the answer that fits this Vault the set in force.
func (b *Bootstrap) settleSet(ctx context.Context, look *Look) (bool, error) {
	active, _ := look.Observation.Replicas.Active()
	return true, b.makeSet(ctx, look.Unsettled.Opens, active.ClusterID)
}

// makeSet makes the answer of an attempt the set in force: it has opened the cluster. The
// set before it stays on record, as the answer of its own attempt.
func (b *Bootstrap) makeSet(ctx context.Context, id, cluster string) error {
	b.Log.Warn("of several init responses on record, another one opens this Vault: it is the set in force now", "attempt_id", id)
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		attempt := keys.AttemptOf(id)
		if attempt == nil || attempt.Answer == nil {
			return fmt.Errorf("attempt %q has no answer on record", id)
		}
		set, root, err := b.open(*attempt, entryOf(*attempt))
		if err != nil {
			return err
		}
		set.ClusterID = cluster
		if origin := keys.Origin(); keys.Set != nil && (origin == nil || origin.Answer == nil || origin.PrivateKey.Empty()) {
			ceremony.PutAway(keys, b.Now(), *keys.Set)
		}
		keys.Set, keys.Root = &set, &root
		return nil
	})
}

// settleGlass ends the root token, or the attempt to make one, that a break-glass has
// left which was killed.
func (b *Bootstrap) settleGlass(ctx context.Context, look *Look) (bool, error) {
	active, found := look.Observation.Replicas.Active()
	if !found {
		return false, nil
	}
	if err := b.glass.Sweep(ctx, active.Address, look.StoredKeys); err != nil {
		return false, err
	}
	session := b.behind(look.seenBy)
	if session == nil {
		session = b.behind(look.root)
	}
	if session != nil {
		if err := b.glass.Search(ctx, session, look.StoredKeys); err != nil {
			return false, err
		}
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the keys: %w", err)
	}
	return keys.Glass == nil, nil
}

// settleShares finds out what an exchange of the key shares has come to that was cut off.
func (b *Bootstrap) settleShares(ctx context.Context, look *Look) (bool, error) {
	active, found := look.Observation.Replicas.Active()
	if !found {
		return false, nil
	}
	replica := b.At(active.Address)
	if replica == nil {
		return false, errors.New("the active replica is not known any more")
	}
	keys, err := b.admin.SettleRotation(ctx, replica, look.StoredKeys, secret.Value{})
	return err == nil && keys.Rotation == nil, err
}
