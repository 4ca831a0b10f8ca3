package fencing

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// epochTries is how often a session tries to get an epoch. Several sessions may compete if the
// Lease has failed; each conflict means that one of them succeeded.
const epochTries = 100

// Begin waits for the Lease and allocates the next epoch: by compare-and-swap in the keys record,
// then in the checkpoint. From then on no earlier session can write to either. It fails, and writes
// nothing, if the keys record is a copy from an earlier time.
func Begin(ctx context.Context, records store.Store, options store.LeaseOptions) (*Session, error) {
	return begin(ctx, records, options, false)
}

// BeginWithOlder is Begin for somebody who goes on with an earlier copy of the keys record.
func BeginWithOlder(ctx context.Context, records store.Store, options store.LeaseOptions) (*Session, error) {
	return begin(ctx, records, options, true)
}

func begin(ctx context.Context, records store.Store, options store.LeaseOptions, older bool) (*Session, error) {
	held, err := records.Acquire(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &Session{store: records, held: held, high: highWater{record: records.Location().Keys, accepts: older}}
	if err := s.allocate(held.Context()); err != nil {
		return nil, errors.Join(fmt.Errorf("allocating an epoch: %w", err), s.Close())
	}
	return s, nil
}

// allocate takes the epoch after the greatest in either record: one of them may have been removed
// or restored from an earlier copy. Each is read at most once before it is first written, and that
// write is conditional on the revision that was read. The keys are not opened for that: a run must be
// able to take over while nobody can open them.
func (s *Session) allocate(ctx context.Context) error {
	checkpoint, revision, known := s.latestCheckpoint()
	var err error
	if !known {
		if checkpoint, revision, err = s.store.Checkpoint(ctx); err != nil {
			return err
		}
	}
	s.high.raise(checkpoint.HighWater)
	tried := false
	err = retryConflicts(ctx, epochTries, func() error {
		keys, revision, known := s.latestKeys(tried)
		tried = true
		if !known {
			var err error
			if keys, revision, err = s.store.Outline(ctx); err != nil {
				return err
			}
		}
		if err := s.high.check(keys); err != nil && known {
			return store.ErrConflict // what is remembered may be older than the record is
		} else if err != nil {
			return err
		}
		s.epoch = max(keys.Epoch, checkpoint.Epoch) + 1
		keys.Epoch = s.epoch
		_, err = s.store.SaveKeys(ctx, keys, revision)
		return err
	})
	if err != nil {
		return err
	}
	fresh := true
	return retryConflicts(ctx, epochTries, func() error {
		if !fresh {
			if checkpoint, revision, err = s.store.Checkpoint(ctx); err != nil {
				return err
			}
		}
		fresh = false
		if checkpoint.Epoch > s.epoch {
			return s.fenced(checkpoint.Epoch)
		}
		checkpoint.Epoch = s.epoch
		_, err := s.saveCheckpoint(ctx, checkpoint, revision)
		return err
	})
}

// recent is a store that remembers its records as it last read or wrote them. A session begins with
// a write to both records: it starts from what is remembered, and reads only if the
// compare-and-swap finds that they have changed. ok is false if nothing is remembered. The keys are
// as Outline returns them.
type recent interface {
	RecentKeys() (keys store.Keys, revision store.Revision, ok bool)
	RecentCheckpoint() (checkpoint store.Checkpoint, revision store.Revision, ok bool)
}

// latestKeys returns the keys as the store remembers them, unless they have to be read afresh.
func (s *Session) latestKeys(fresh bool) (store.Keys, store.Revision, bool) {
	if memory, ok := s.store.(recent); ok && !fresh {
		return memory.RecentKeys()
	}
	return store.Keys{}, "", false
}

func (s *Session) latestCheckpoint() (store.Checkpoint, store.Revision, bool) {
	if memory, ok := s.store.(recent); ok {
		return memory.RecentCheckpoint()
	}
	return store.Checkpoint{}, "", false
}
