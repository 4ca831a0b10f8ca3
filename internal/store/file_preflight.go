package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
)

// Preflight makes the directory, reads both records, and writes, syncs and
// removes a file of the size that the keys can have.
func (f *File) Preflight(ctx context.Context) error {
	if _, _, err := f.Keys(ctx); err != nil {
		return err
	}
	if _, _, err := f.Checkpoint(ctx); err != nil {
		return err
	}
	return f.exclusively(ctx, func() error { return f.rehearse(rehearsalSize) })
}

// rehearse writes, syncs and removes a file of some size. The caller holds the lock.
func (f *File) rehearse(size int) error {
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
func (f *File) Rehearse(ctx context.Context, keys Keys, revision Revision) error {
	data, err := encodeKeys(keys)
	if err != nil {
		return err
	}
	if err := checkSize(keys, data, f.keysObject(), f.fullRemedy()); err != nil {
		return err
	}
	return f.exclusively(ctx, func() error {
		_, stored, err := f.read(f.keysPath())
		if err != nil {
			return err
		}
		if stored != revision {
			return fmt.Errorf("rehearsing the write of %s: %w", f.keysPath(), ErrConflict)
		}
		return f.rehearse(len(data))
	})
}

// Concerns lists nothing: a file that can be read by its owner is replaced whole, and
// nothing deletes it by itself.
func (f *File) Concerns(context.Context) ([]Concern, error) { return nil, nil }
