package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// casPoll is the wait between tries for the lock of a single write, which its
// holder needs for a few milliseconds.
const casPoll = 2 * time.Millisecond

// exclusively runs once under the lock that every writer of this store takes for
// the length of one write. The kernel frees it when its process dies.
func (f *File) exclusively(ctx context.Context, once func() error) error {
	if err := f.makeDir(); err != nil {
		return err
	}
	for {
		lock, err := f.tryLock(f.casPath())
		if err != nil {
			return err
		}
		if lock != nil {
			return errors.Join(once(), lock.Unlock())
		}
		if err := Pause(ctx, casPoll); err != nil {
			return fault.Held(fmt.Errorf("waiting for the lock %s, held by %q: %w", f.casPath(), f.holder(), err),
				"Another run is in the middle of a write, which takes milliseconds: it is suspended, or its disk does not answer. Let it go on, or end it.")
		}
	}
}

// tryLock returns the locked file at path, or nil if somebody else has it.
func (f *File) tryLock(path string) (*flock.Flock, error) {
	lock := flock.New(path)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, f.explain("locking", err)
	}
	// The file may have been removed between opening and locking: then the next
	// one would make, and lock, another.
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

// replace puts data at path so that a reader, also one after a power cut, finds
// either all of the old content or all of the new. The caller holds the lock.
//
// google/renameio does most of this, but it does not sync the directory (so the
// rename itself can be lost with the power), and its temporary files have random
// names: each kill -9 in the middle would leave another copy of the keys lying
// about. Under the lock one name is enough, and the next write removes it.
func (f *File) replace(path string, data []byte) (err error) {
	temporary := filepath.Join(f.dir, "."+filepath.Base(path)+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain("removing what an earlier run left", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	if err := writeSynced(temporary, data); err != nil {
		return f.explain("writing", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return f.explain("writing", err)
	}
	if err := syncDir(f.dir); err != nil {
		return f.explain("writing", err)
	}
	return nil
}

// writeSynced makes a file for its owner only; data has reached the disk when it
// returns.
func writeSynced(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) (err error) {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	return handle.Sync()
}

// makeDir makes the store's directory if it is not there.
func (f *File) makeDir() error {
	if _, err := makeDirs(f.dir); err != nil {
		return f.explain("making the directory", err)
	}
	return nil
}

// makeDirs makes dir and its parents as far as they are not there, for their owner only.
// Each one in which another was made is synced, topmost first, and they are returned:
// else a power cut could take away the directory together with the keys in it.
func makeDirs(dir string) (synced []string, err error) {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil, nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if synced, err = makeDirs(parent); err != nil {
			return synced, err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		// Somebody else may have made it meanwhile, and not synced it yet.
		if info, found := os.Stat(dir); found != nil || !info.IsDir() {
			return synced, err
		}
	}
	if err := syncDir(parent); err != nil {
		return synced, err
	}
	return append(synced, parent), nil
}

// explain gives a file error, whose text names the path, its kind and remedy.
func (f *File) explain(doing string, err error) error {
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
