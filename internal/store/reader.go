package store

import (
	"context"
	"errors"
)

// ErrReadOnly means that a write was tried without the Lease.
var ErrReadOnly = errors.New("the records are only read here: a write needs the lease")

// Reader looks at the records without holding the Lease. Whatever would write fails
// with ErrReadOnly, and writes nothing.
type Reader struct{ Store Store }

// Epoch returns 0: a reader has none.
func (r Reader) Epoch() int64 { return 0 }

// Keys reads the keys record.
func (r Reader) Keys(ctx context.Context) (Keys, error) {
	keys, _, err := r.Store.Keys(ctx)
	return keys, err
}

// Checkpoint reads the checkpoint.
func (r Reader) Checkpoint(ctx context.Context) (Checkpoint, error) {
	checkpoint, _, err := r.Store.Checkpoint(ctx)
	return checkpoint, err
}

// UpdateKeys fails.
func (r Reader) UpdateKeys(context.Context, func(*Keys) error) error { return ErrReadOnly }

// Deliver fails.
func (r Reader) Deliver(context.Context, func(*Keys) error) error { return ErrReadOnly }

// UpdateCheckpoint fails.
func (r Reader) UpdateCheckpoint(context.Context, func(*Checkpoint) error) error { return ErrReadOnly }

// Show fails.
func (r Reader) Show(context.Context, Mirror) error { return ErrReadOnly }
