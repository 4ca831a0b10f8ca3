package main

import (
	"context"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// ownWrites is a store that remembers which revision of the checkpoint this process has
// written last: a watch must not be woken by its own writes.
type ownWrites struct {
	store.Store

	mu   sync.Mutex
	last store.Revision
}

// SaveCheckpoint writes the checkpoint and remembers its revision.
func (w *ownWrites) SaveCheckpoint(ctx context.Context, checkpoint store.Checkpoint, revision store.Revision) (store.Revision, error) {
	written, err := w.Store.SaveCheckpoint(ctx, checkpoint, revision)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = written
	}
	return written, err
}

// wrote reports whether revision is what this process has written last.
func (w *ownWrites) wrote(revision store.Revision) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return revision == w.last
}
