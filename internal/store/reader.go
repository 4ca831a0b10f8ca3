package store

import "context"

// Reader reads the records without holding the Lease. It cannot write.
type Reader struct{ Store Store }

// Keys reads the keys record.
func (r Reader) Keys(ctx context.Context) (Keys, error) {
	keys, _, err := r.Store.Keys(ctx)
	return keys, err
}

// Outline reads the keys record without opening it.
func (r Reader) Outline(ctx context.Context) (Keys, error) {
	keys, _, err := r.Store.Outline(ctx)
	return keys, err
}

// Checkpoint reads the checkpoint.
func (r Reader) Checkpoint(ctx context.Context) (Checkpoint, error) {
	checkpoint, _, err := r.Store.Checkpoint(ctx)
	return checkpoint, err
}
