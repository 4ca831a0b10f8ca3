package store

import (
	"bytes"
	"context"
	"os"
)

// rehearsalSize is the size in bytes of the record with which a preflight
// rehearses the write of the keys: ten shares encrypted to 4096-bit PGP keys, a
// root token and room to spare.
const rehearsalSize = 16 << 10

// Preflight makes the directory, reads both records, and writes, syncs and
// removes a file of the size that the keys can have.
func (f *File) Preflight(ctx context.Context) error {
	if _, _, err := f.Keys(ctx); err != nil {
		return err
	}
	if _, _, err := f.Checkpoint(ctx); err != nil {
		return err
	}
	return f.exclusively(ctx, func() error {
		rehearsal := f.path("-preflight.tmp")
		if err := f.replace(rehearsal, bytes.Repeat([]byte{'x'}, rehearsalSize)); err != nil {
			return err
		}
		if err := os.Remove(rehearsal); err != nil {
			return f.explain("removing", err)
		}
		return nil
	})
}
