package filestore

import (
	"bytes"
	"context"
	"fmt"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
	"os"
)

// Preflight creates the directory, reads both records, writes, syncs and removes a file of the size
// that the keys can have, and prepares a data key if the keys are to be encrypted and are not yet.
func (f *Store) Preflight(ctx context.Context) error {
	keys, _, err := f.Outline(ctx)
	if err != nil {
		return err
	}
	if _, _, err := f.Checkpoint(ctx); err != nil {
		return err
	}
	if err := f.exclusively(ctx, func() error { return f.rehearse(wire.RehearsalSize) }); err != nil {
		return err
	}
	if keys.Sealing != nil {
		return nil
	}
	return f.codec.Prepare(ctx, keys)
}

// rehearse writes, syncs and removes a file of a size. The caller holds the lock.
func (f *Store) rehearse(size int) error {
	rehearsal := f.path("-preflight.tmp")
	if err := f.replace(rehearsal, bytes.Repeat([]byte{'x'}, size)); err != nil {
		return err
	}
	if err := os.Remove(rehearsal); err != nil {
		return f.explain("removing", err)
	}
	return nil
}

// Rehearse writes, syncs and removes a file of the size of the keys record.
func (f *Store) Rehearse(ctx context.Context, keys store.Keys, revision store.Revision) error {
	data, _, err := f.codec.Encode(keys)
	if err != nil {
		return err
	}
	if err := wire.CheckSize(keys, data, f.keysObject(), f.fullRemedy()); err != nil {
		return err
	}
	return f.exclusively(ctx, func() error {
		_, stored, err := f.read(f.keysPath())
		if err != nil {
			return err
		}
		if stored != revision {
			return fmt.Errorf("rehearsing the write of %s: %w", f.keysPath(), store.ErrConflict)
		}
		return f.rehearse(len(data))
	})
}

// Concerns lists nothing: a file that its owner can read can be replaced, and nothing deletes it
// automatically.
func (f *Store) Concerns(context.Context) ([]store.Concern, error) { return nil, nil }
