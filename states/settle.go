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

// settling ends or records what looks have found unsettled.
type settling struct {
	setting  *Setting
	records  *held
	sessions *sessions
	admin    *ceremony.Administrator
	delivery *Delivery
}

// settle ends or records what a look has found unsettled, and reports whether that changed
// anything, so that another look is needed. Only the holder of the Lease settles: without it, the
// process that left something behind may still be at work.
func (s *settling) settle(ctx context.Context, look *Look) (changed bool, err error) {
	left := look.Unsettled
	for _, step := range []struct {
		due bool
		do  func(ctx context.Context, look *Look) (changed bool, err error)
	}{
		{len(left.Answers) > 0, s.settleAnswers},
		{left.Unopened != "", s.settleUnopened},
		{left.Refused != "", s.settleRefusal},
		{left.Open != nil, s.settleLives},
		{left.Opens != "", s.settleSet},
		{left.Accessor != "", s.settleAccessor},
		{left.BreakGlass, s.settleBreakGlass},
		{left.Rotation, s.settleShares},
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

// settleAnswers stores spooled answers. If there are keys already, an answer that cannot be stored
// does not hold up the rest.
func (s *settling) settleAnswers(ctx context.Context, look *Look) (bool, error) {
	changed := false
	for _, entry := range look.Unsettled.Answers {
		s.setting.Log.Warn("storing an init response that was spooled", "attempt_id", entry.Attempt)
		err := s.settleAnswer(ctx, entry)
		switch {
		case err == nil:
			changed = true
		case look.StoredKeys.Set == nil:
			return changed, err
		default:
			s.setting.Log.Warn("a spooled init response was not stored; it stays where it is", "attempt_id", entry.Attempt, "error", err.Error())
		}
	}
	return changed, nil
}

func (s *settling) settleAnswer(ctx context.Context, entry spool.Entry) error {
	if err := s.delivery.store(ctx, entry); err != nil {
		return fmt.Errorf("storing a spooled init response: %w", err)
	}
	point.Reach("settle.stored")
	s.delivery.unspool(entry.Attempt)
	return nil
}

// settleUnopened opens an answer that was stored while nobody could open the record.
func (s *settling) settleUnopened(ctx context.Context, look *Look) (bool, error) {
	if look.Locked != nil {
		return false, look.Locked
	}
	attempt := look.StoredKeys.AttemptOf(look.Unsettled.Unopened)
	return true, s.delivery.store(ctx, entryOf(*attempt))
}

// settleRefusal records that Vault has refused an attempt, now that Vault was found empty
// afterwards: nobody need wait for its outcome.
func (s *settling) settleRefusal(ctx context.Context, look *Look) (bool, error) {
	id := look.Unsettled.Refused
	return true, s.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if attempt := keys.AttemptOf(id); attempt != nil && attempt.Status == store.AttemptOpen {
			attempt.Status = store.AttemptRefused
		}
		return nil
	})
}

// settleLives records the life in which each replica is open.
func (s *settling) settleLives(ctx context.Context, look *Look) (bool, error) {
	present := make([]string, len(look.Observation.Replicas))
	for i, replica := range look.Observation.Replicas {
		present[i] = replica.Address
	}
	return false, s.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.RememberOpen(look.Unsettled.Open, present)
		return nil
	})
}

// settleAccessor records the root token's accessor at its first use: it names the token to whoever
// has to revoke it, and opens nothing.
func (s *settling) settleAccessor(ctx context.Context, look *Look) (bool, error) {
	token, accessor := look.StoredKeys.Root.Token, look.Unsettled.Accessor
	return false, s.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Root != nil && keys.Root.Token.Equal(token) {
			keys.Root.Accessor = accessor
		}
		return nil
	})
}

// settleSet makes the answer that opens this Vault the set in force.
func (s *settling) settleSet(ctx context.Context, look *Look) (bool, error) {
	active, _ := look.Observation.Replicas.Active()
	return true, s.delivery.makeSet(ctx, look.Unsettled.Opens, active.ClusterID)
}

// settleBreakGlass revokes the root token, or cancels the attempt to generate one, that a killed
// break-glass has left behind.
func (s *settling) settleBreakGlass(ctx context.Context, look *Look) (bool, error) {
	active, found := look.Observation.Replicas.Active()
	if !found {
		return false, nil
	}
	if err := s.sessions.breakGlass.Sweep(ctx, active.Address, look.StoredKeys); err != nil {
		return false, err
	}
	session := s.sessions.behind(look.seenBy)
	if session == nil {
		session = s.sessions.behind(look.root)
	}
	if session != nil {
		if err := s.sessions.breakGlass.Search(ctx, session, look.StoredKeys); err != nil {
			return false, err
		}
	}
	keys, err := s.records.Keys(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the keys: %w", err)
	}
	return keys.RootGrant == nil, nil
}

// settleShares finds out how far an interrupted exchange of the key shares has come.
func (s *settling) settleShares(ctx context.Context, look *Look) (bool, error) {
	active, found := look.Observation.Replicas.Active()
	if !found {
		return false, nil
	}
	replica := s.admin.Cluster.At(active.Address)
	if replica == nil {
		return false, errors.New("the active replica is not known any more")
	}
	keys, err := s.admin.SettleRotation(ctx, replica, look.StoredKeys, secret.Value{})
	return err == nil && keys.Rotation == nil, err
}
