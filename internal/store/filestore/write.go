package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/vault-bootstrap/vault-bootstrap/internal/durable"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// casPoll is the wait between tries for the lock of a single write, which its
// holder needs for a few milliseconds.
const casPoll = 2 * time.Millisecond

// exclusively runs write under the lock that every writer of this store takes for one write. The
// kernel releases it when the process dies.
func (f *Store) exclusively(ctx context.Context, write func() error) error {
	if err := f.makeDir(); err != nil {
		return err
	}
	for {
		lock, err := f.tryLock(f.casPath())
		if err != nil {
			return err
		}
		if lock != nil {
			return errors.Join(write(), lock.Unlock())
		}
		if err := store.Pause(ctx, casPoll); err != nil {
			return fault.Held(fmt.Errorf("waiting for the lock %s, held by %q: %w", f.casPath(), f.holder(), err),
				"Another run is in the middle of a write, which takes milliseconds: it is suspended, or its disk hangs. Let it continue, or end it.")
		}
	}
}

// tryLock returns the locked file at path, or nil if somebody else has it.
func (f *Store) tryLock(path string) (*flock.Flock, error) {
	lock := flock.New(path)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, f.explain("locking", err)
	}
	// The file may have been removed between opening and locking: then the next process would
	// create, and lock, another.
	if ok && sameFile(lock, path) {
		return lock, nil
	}
	_ = lock.Close()
	return nil, nil
}

// sameFile reports whether the locked file is the one that path leads to.
func sameFile(lock *flock.Flock, path string) bool {
	if !lock.Locked() {
		return false // Stat would look at path instead
	}
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	present, err := os.Stat(path)
	return err == nil && os.SameFile(locked, present)
}

// replace puts data at path, whole or not at all. The caller holds the lock.
func (f *Store) replace(path string, data []byte) error {
	if err := durable.Replace(path, data); err != nil {
		return f.explain("writing", err)
	}
	return nil
}

// makeDir creates the store's directory if it does not exist.
func (f *Store) makeDir() error {
	if err := durable.MakeDirs(f.dir); err != nil {
		return f.explain("creating the directory", err)
	}
	return nil
}

// explain adds the kind and the remedy to a file error, whose text names the path.
func (f files) explain(doing string, err error) error {
	err = fmt.Errorf("%s for the file store in %s: %w", doing, f.dir, err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wait(err, fmt.Sprintf("The disk is full: free some space under %s.", f.dir))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return fault.Misuse(err, fmt.Sprintf(
			"Make %s a directory that user ID %d may read and write, or name another: --store=file:DIR.", f.dir, os.Getuid()))
	default:
		return err
	}
}
