package states

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// seeding applies the seed.
type seeding struct {
	setting  *Setting
	records  *held
	sessions *sessions
	observer *Observer
	applied  applied
	// hardening proves our login, and ends the root token.
	hardening *hardening
}

// act applies what is missing, with our own login. Where there is a root token, that only makes the
// audit devices and the login, and goes before anything else is written.
func (s *seeding) act(ctx context.Context, look *Look) error {
	hashKey, err := s.remember(ctx, look)
	if err != nil {
		return err
	}
	session := s.sessions.behind(look.seenBy)
	if look.Plan == nil || session == nil {
		return errors.New("nothing is planned yet")
	}
	s.warn(look)
	go s.observer.desired.digest() // entering the next state needs it; computed while Vault is busy
	if look.StoredKeys.Root != nil && look.Observation.Root == fsm.DeadRoot && look.Observation.Login == fsm.LoginWorks {
		if err := s.hardening.forgetRoot(ctx, look); err != nil { // an earlier run has revoked it, and was cut off
			return err
		}
	}
	if !look.root.None() {
		if look, err = s.handOver(ctx, look, session, hashKey); err != nil {
			return err
		}
	}
	if look.growth == growthDue {
		if look, err = s.grow(ctx, look, hashKey); err != nil {
			return err
		}
	}
	if look.Plan == nil {
		return errors.New("nothing is planned yet")
	}
	return s.applyAll(ctx, look, hashKey)
}

// applyAll applies the plan of a look that was made with our own login.
func (s *seeding) applyAll(ctx context.Context, look *Look, hashKey secret.Value) error {
	session := s.sessions.behind(look.seenBy)
	if session == nil {
		return errors.New("there is no session of our own login")
	}
	result, err := s.apply(ctx, session, look, look.Plan, hashKey)
	point.Reach("seed.applied")
	if err == nil {
		err = s.narrow(ctx, session, look)
	}
	if len(result.Written) > 0 {
		s.observer.recall.readBack(func() reconcile.Seen {
			return reconcile.ReadBack(ctx, session, result.Written, s.setting.Reads)
		})
	}
	return err
}

// apply applies a plan, and records what came of it.
func (s *seeding) apply(ctx context.Context, session *vault.Session, look *Look, plan *reconcile.Plan, hashKey secret.Value) (reconcile.Result, error) {
	plan.Remember(hashKey)
	active, _ := look.Observation.Replicas.Active()
	result, err := reconcile.Apply(ctx, session, plan, reconcile.Options{
		Parallelism:  s.setting.Writes,
		History:      s.applied.to(active.ClusterID),
		BeforeCreate: func(ctx context.Context, ids []object.ID) error { return s.announce(ctx, look.Checkpoint.Ledger, ids) },
		Done: func(change reconcile.Change, err error) {
			if err == nil {
				s.setting.done.note(changed(change.Action), change.Object.ID.String())
				s.setting.Log.Info("wrote", "object", change.Object.ID.String(), "action", change.Action.String())
			}
		},
	})
	s.observer.recall.wrote(result.Seen)
	for _, id := range result.Kept {
		s.setting.Log.Warn("the seed no longer names it, and Vault cannot delete it: it stays as it is", "object", id.String())
	}
	for _, left := range plan.Left {
		s.setting.Log.Warn("the seed no longer names it, and it stays", "object", left.ID.String(), "reason", left.Reason)
	}
	if saveErr := s.saveLedger(context.WithoutCancel(ctx), look, plan, result); saveErr != nil {
		return result, errors.Join(err, saveErr)
	}
	return result, err
}

// changed returns the list of changes that an action belongs to.
func changed(action reconcile.Action) func(*Changes) *[]string {
	switch action {
	case reconcile.Create:
		return (*Changes).created
	case reconcile.Delete:
		return (*Changes).deleted
	default:
		return (*Changes).updated
	}
}

// warn logs what a person should know before anything is written.
func (s *seeding) warn(look *Look) {
	if s.observer.desired.unaudited(look.Facts) {
		s.setting.Log.Warn(unauditedWarning, "remedy", "Declare a device under 'audit' in the seed.")
	}
	for _, warning := range look.Plan.Warnings {
		s.setting.Log.Warn(warning)
	}
}

// remember stores what the first look inside Vault has shown: the cluster's ID, and the key for the
// hashes of write-only values, which it returns.
func (s *seeding) remember(ctx context.Context, look *Look) (secret.Value, error) {
	active, _ := look.Observation.Replicas.Active()
	keys := look.StoredKeys
	known := s.setting.Keyless || keys.Set != nil && keys.Set.ClusterID == active.ClusterID // or the checkpoint has it
	if known && !keys.HashKey.Empty() || keys.Set == nil && !s.setting.Keyless {
		return keys.HashKey, nil
	}
	hashKey := keys.HashKey
	err := s.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil && keys.Set.ClusterID == "" {
			keys.Set.ClusterID = active.ClusterID
		}
		if keys.HashKey.Empty() {
			keys.HashKey = newSecret()
		}
		hashKey = keys.HashKey
		return nil
	})
	return hashKey, err
}

// announce writes the ledger ahead of what is created.
func (s *seeding) announce(ctx context.Context, ledger map[string]store.Ownership, ids []object.ID) error {
	if !slices.ContainsFunc(ids, func(id object.ID) bool { return ledger[string(id)] != store.Intended }) {
		return nil // an earlier try has announced them
	}
	return s.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.Namespace = s.observer.desired.recordedNamespace()
		own(c, ids, store.Intended)
		return nil
	})
}

func (s *seeding) saveLedger(ctx context.Context, look *Look, plan *reconcile.Plan, result reconcile.Result) error {
	done := len(result.Created) + len(result.Updated) + len(result.Refused) + len(result.Deleted) + len(result.Taken) + len(result.Kept) + len(plan.Forget)
	if done == 0 && reflect.DeepEqual(result.Hashes, look.Checkpoint.Hashes) {
		return nil
	}
	return s.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		own(c, result.Created, store.Created)
		for before, after := range result.Renamed {
			own(c, []object.ID{after}, c.Ledger[string(before)])
			delete(c.Ledger, string(before))
		}
		for _, id := range result.Updated {
			if _, known := c.Ledger[string(id)]; !known {
				own(c, []object.ID{id}, store.TakenOver)
			}
		}
		for _, id := range slices.Concat(result.Refused, result.Deleted, result.Taken, result.Kept, plan.Forget) {
			delete(c.Ledger, string(id))
		}
		c.Hashes = result.Hashes
		return nil
	})
}

func own(c *store.Checkpoint, ids []object.ID, how store.Ownership) {
	if c.Ledger == nil && len(ids) > 0 {
		c.Ledger = map[string]store.Ownership{}
	}
	for _, id := range ids {
		c.Ledger[string(id)] = how
	}
}
