// Package durable writes files that are still there, and whole, after the process was
// killed or the power was cut. It must not know what is in them, nor who reads them.
//
// google/renameio does most of this, but it does not sync the directory (so the rename
// itself can be lost with the power), and its temporary files have random names: each
// kill -9 in the middle would leave another copy of a secret lying about. Here one name
// is enough, since a file has one writer at a time, and the next write removes it.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileMode and dirMode are of what is made: for its owner only.
const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// Replace puts data at path so that a reader, also one after a power cut, finds either
// all of the old content or all of the new. It writes to a file beside it, '.NAME.tmp',
// and renames that: two calls for the same path must not run at once.
func Replace(path string, data []byte) (err error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what an earlier write left: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	if err := write(temporary, os.O_EXCL, data); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Write puts data at path in place. Whoever is killed before it returns has left what
// was written so far under this very name, where Replace would have left it under
// another: it is for content that exists nowhere else, and of which a reader notices
// that it was cut short.
func Write(path string, data []byte) error {
	if err := write(path, os.O_TRUNC, data); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// write makes a file; data has reached the disk when it returns, the file's name has not.
func write(path string, flag int, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

// syncDir puts on the disk which files are in dir.
func syncDir(dir string) (err error) {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	return handle.Sync()
}
