package fencing

import (
	"context"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// highWater is the latest encryption of the keys record that the checkpoint names or this session has
// opened. Every write of the checkpoint takes it along.
type highWater struct {
	// record is the name of the keys record.
	record string
	// accepts is whether this session may work with an older record.
	accepts bool

	mu   sync.Mutex
	mark *store.HighWater
}

// check refuses a record that is older.
func (h *highWater) check(keys store.Keys) error {
	if h.accepts {
		return nil
	}
	return store.RefuseOlder(h.record, keys, h.get())
}

// read takes a record that was opened: it is refused if it is older, else it is the latest.
func (h *highWater) read(keys store.Keys) error {
	if err := h.check(keys); err != nil {
		return err
	}
	h.raise(keys.HighWater())
	return nil
}

func (h *highWater) get() *store.HighWater {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mark
}

func (h *highWater) raise(mark *store.HighWater) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if mark.Above(h.mark) {
		h.mark = mark
	}
}

// into puts the mark into a checkpoint that is about to be written.
func (h *highWater) into(checkpoint *store.Checkpoint) {
	if mark := h.get(); mark.Above(checkpoint.HighWater) {
		checkpoint.HighWater = mark
	}
}

// HighWater returns the latest encryption of the keys record that was seen; nil if there is none.
func (s *Session) HighWater() *store.HighWater { return s.high.get() }

// opened returns the keys record, opened, unless it is older than it was.
func (s *Session) opened(ctx context.Context) (store.Keys, store.Revision, error) {
	keys, revision, err := s.store.Keys(ctx)
	if err == nil {
		err = s.high.read(keys)
	}
	return keys, revision, err
}

// saveKeys saves the keys record. Where none was, because somebody has removed it, another series of
// generations begins, and the checkpoint forgets the former one first: after a crash between the two
// writes the keys are missing, and not of an earlier time.
func (s *Session) saveKeys(ctx context.Context, keys store.Keys, revision store.Revision, before bool) (store.Revision, error) {
	if !before && keys.Secret() && s.high.get() != nil {
		if err := s.forgetHighWater(ctx); err != nil {
			return "", err
		}
	}
	return s.store.SaveKeys(ctx, keys, revision)
}

// forgetHighWater removes the mark from the checkpoint.
func (s *Session) forgetHighWater(ctx context.Context) error {
	s.high.mu.Lock()
	s.high.mark = nil
	s.high.mu.Unlock()
	return s.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error { c.HighWater = nil; return nil })
}
