// Package fencing is the right to write the records: a held Lease and an epoch that each holder
// raises. A Lease alone cannot stop a holder that was suspended and wakes up late; the epoch in the
// record can. The package must not know how a store keeps the records.
package fencing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// updateTries is how often a session retries after a conflict. Only a person with kubectl competes
// with the holder of the Lease.
const updateTries = 10

// releaseTimeout limits the release of the Lease by Close.
const releaseTimeout = 5 * time.Second

// ErrFenced means that a later holder has raised the epoch: this one may no longer write.
var ErrFenced = errors.New("a later holder has taken over")

// ErrDeleted means that a record was deleted and recreated during a session: the session may no
// longer write it.
var ErrDeleted = errors.New("the record was deleted while this run held the lease")

// Session is the right to write: a held Lease and the fencing epoch that belongs
// to it. It is safe for use by several goroutines.
type Session struct {
	store store.Store
	held  store.Held
	epoch int64
	// One update of a record at a time, so that the session does not conflict with itself.
	keys, checkpoint sync.Mutex
	// written are the revisions of our latest writes of the checkpoint.
	written revisions
	high    highWater
}

// RecordDeleted is the name of the fault that the keys record was deleted during a session, and
// created again by somebody else.
const RecordDeleted = "record deleted"

// saveCheckpoint saves the checkpoint, and remembers the revision.
func (s *Session) saveCheckpoint(ctx context.Context, checkpoint store.Checkpoint, revision store.Revision) (store.Revision, error) {
	stored, err := s.store.SaveCheckpoint(ctx, checkpoint, revision)
	if err == nil {
		s.written.add(stored)
	}
	return stored, err
}

// CheckpointRevision returns the revision of this session's last write of the checkpoint, so that a
// watch can distinguish our own writes from those of others. Beginning a session is such a write.
// It is "" if none has succeeded.
func (s *Session) CheckpointRevision() store.Revision { return s.written.last() }

// WroteCheckpoint reports whether this revision of the checkpoint is one of this session's latest
// writes: a follower of the checkpoint sees each of them, with a delay.
func (s *Session) WroteCheckpoint(revision store.Revision) bool { return s.written.contains(revision) }

// Epoch returns the session's fencing number.
func (s *Session) Epoch() int64 { return s.epoch }

// Context returns the context of the held Lease: see Held.
func (s *Session) Context() context.Context { return s.held.Context() }

// Alive reports whether the Lease is still held: see Held.
func (s *Session) Alive() error { return s.held.Alive() }

// Show mirrors the checkpoint onto the Lease: see Held.
func (s *Session) Show(ctx context.Context, mirror store.Mirror) error {
	return s.held.Show(ctx, mirror)
}

// Outline reads the keys record without opening it.
func (s *Session) Outline(ctx context.Context) (store.Keys, error) {
	keys, _, err := s.store.Outline(ctx)
	return keys, err
}

// Keys reads the keys record, and opens it. It fails if that is older than what was seen of it.
func (s *Session) Keys(ctx context.Context) (store.Keys, error) {
	keys, _, err := s.opened(ctx)
	return keys, err
}

// Checkpoint reads the checkpoint.
func (s *Session) Checkpoint(ctx context.Context) (store.Checkpoint, error) {
	checkpoint, _, err := s.store.Checkpoint(ctx)
	return checkpoint, err
}

// UpdateKeys reads the keys record, lets change edit it, and writes it back. After a conflict it
// starts over, so change may run more than once, each time on what was read last. It fails with
// ErrFenced, and writes nothing, if the record has another session's epoch. It does not check
// whether the Lease is held: the epoch is what counts, and even a late holder must store keys that
// Vault has just returned.
//
// If change changes nothing, nothing is written. A record that somebody removed during the session
// is created again: nobody can have written to it since, and refusing could lose keys.
func (s *Session) UpdateKeys(ctx context.Context, change func(*store.Keys) error) error {
	s.keys.Lock()
	defer s.keys.Unlock()
	var before bool // whether the record held anything
	read := func(ctx context.Context) (store.Keys, store.Revision, error) {
		keys, revision, err := s.opened(ctx)
		before = keys.Sealing != nil || keys.Secret()
		return keys, revision, err
	}
	save := func(ctx context.Context, keys store.Keys, revision store.Revision) (store.Revision, error) {
		return s.saveKeys(ctx, keys, revision, before)
	}
	err := update(ctx, s, read, save, asWritten, func(k *store.Keys) *int64 { return &k.Epoch }, change)
	if err != nil {
		return fmt.Errorf("updating the keys record: %w", err)
	}
	return nil
}

// Deliver is UpdateKeys without the check of the epoch. It is for one thing only: keys that Vault
// has just returned exist nowhere else, so even a late holder must store them. change must only add
// what belongs to the holder's own attempt, and refuse a record in which that attempt is no longer
// open. A record that was deleted meanwhile is created again, as this session's. One that cannot be
// opened is handed to change as it is (store.Keys.Locked), which may then only add an answer.
func (s *Session) Deliver(ctx context.Context, change func(*store.Keys) error) error {
	err := retryConflicts(ctx, updateTries, func() error {
		keys, revision, err := s.store.Keys(ctx)
		if errors.Is(err, store.ErrLocked) {
			keys, revision, err = s.store.Outline(ctx)
		}
		if err != nil {
			return err
		}
		removed := reflect.DeepEqual(keys, store.Keys{})
		if err := change(&keys); err != nil {
			return err
		}
		if removed {
			keys.Epoch = s.epoch
		}
		_, err = s.saveKeys(ctx, keys, revision, !removed)
		return err
	})
	if err != nil {
		return fmt.Errorf("delivering the keys: %w", err)
	}
	return nil
}

// UpdateCheckpoint does for the checkpoint what UpdateKeys does for the keys.
func (s *Session) UpdateCheckpoint(ctx context.Context, change func(*store.Checkpoint) error) error {
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	err := update(ctx, s, s.store.Checkpoint, s.saveCheckpoint, asHeld, func(c *store.Checkpoint) *int64 { return &c.Epoch }, func(c *store.Checkpoint) error {
		err := change(c)
		s.high.into(c)
		return err
	})
	if err != nil {
		return fmt.Errorf("updating the checkpoint: %w", err)
	}
	return nil
}

// Release gives the Lease back. It is safe to call twice.
func (s *Session) Release(ctx context.Context) error { return s.held.Release(ctx) }

// Close is Release for defer: it still works, for a few seconds, after the session's context has
// ended.
func (s *Session) Close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.held.Context()), releaseTimeout)
	defer cancel()
	return s.Release(ctx)
}

// Rehearse proves that the keys record can be written as change leaves it. It writes nothing.
func (s *Session) Rehearse(ctx context.Context, change func(*store.Keys) error) error {
	keys, revision, err := s.store.Keys(ctx)
	if err != nil {
		return err
	}
	if err := change(&keys); err != nil {
		return err
	}
	return s.store.Rehearse(ctx, keys, revision)
}

// update is one fenced read-modify-write.
func update[R any](
	ctx context.Context, s *Session,
	read func(context.Context) (R, store.Revision, error),
	save func(context.Context, R, store.Revision) (store.Revision, error),
	remember func(R) (unchanged func(R) (bool, error), err error),
	epoch func(*R) *int64,
	change func(*R) error,
) error {
	return retryConflicts(ctx, updateTries, func() error {
		record, revision, err := read(ctx)
		if err != nil {
			return err
		}
		var nothing R
		if stored := *epoch(&record); stored != s.epoch && !reflect.DeepEqual(record, nothing) {
			return s.fenced(stored)
		}
		unchanged, err := remember(record)
		if err != nil {
			return err
		}
		if err := change(&record); err != nil {
			return err
		}
		*epoch(&record) = s.epoch
		if same, err := unchanged(record); err != nil || same {
			return err
		}
		_, err = save(ctx, record, revision)
		return err
	})
}

// asWritten remembers the keys in their encoded form, since change may modify any part of them. Their
// Sealing is only ever replaced.
func asWritten(before store.Keys) (unchanged func(store.Keys) (bool, error), err error) {
	text, err := wire.EncodeKeys(before)
	return func(after store.Keys) (bool, error) {
		now, err := wire.EncodeKeys(after)
		return bytes.Equal(text, now) && after.Sealing == before.Sealing, err
	}, err
}

// asHeld remembers the checkpoint as a copy. Its ledger holds every object of the seed, and to
// encode it would take several times as long, at each of the ten updates of a run.
func asHeld(before store.Checkpoint) (unchanged func(store.Checkpoint) (bool, error), err error) {
	before = before.Clone()
	return func(after store.Checkpoint) (bool, error) { return after.Equal(before), nil }, nil
}

// retryConflicts calls try until it no longer fails with ErrConflict, at most tries times.
func retryConflicts(ctx context.Context, tries int, try func() error) error {
	var err error
	for range tries {
		if err = try(); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return store.WithLast(context.Cause(ctx), err)
		}
	}
	return fmt.Errorf("giving up after %d tries: %w", tries, err)
}

func (s *Session) fenced(stored int64) error {
	if stored == 0 {
		// We have written our epoch: a record without one was created after ours was deleted.
		return fault.Stop(RecordDeleted, fmt.Errorf("%w, and created again by somebody else", ErrDeleted),
			"Nothing was written. Find out what deletes it, restore a copy if it held keys, and run again.")
	}
	if stored > s.epoch {
		return fault.Held(fmt.Errorf("%w: its epoch is %d, ours is %d", ErrFenced, stored, s.epoch),
			"Nothing was written. The later run continues; a rerun after it finds the work done.")
	}
	return fault.Held(fmt.Errorf("%w, or the record was restored from an earlier copy: its epoch is %d, ours is %d",
		ErrFenced, stored, s.epoch), "Nothing was written. Run again: it starts from the record as it is now.")
}
