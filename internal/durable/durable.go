// Package durable writes files that survive, whole, when the process is killed or the power is cut.
// It must not know what is in them, or who reads them.
//
// google/renameio does most of this, but it does not sync the directory (so the rename itself can
// be lost with the power), and its temporary files have random names: each kill -9 in the middle
// would leave another copy of a secret lying about. Here one name is enough, since a file has one
// writer at a time, and its next write removes a leftover.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileMode and dirMode are the modes of what is created: for its owner only.
const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// Replace puts data at path so that a reader, also one after a power cut, finds either all of the
// old content or all of the new. It writes to '.NAME.tmp' in the same directory and renames that:
// two calls for the same path must not run at once.
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

// Write writes data to path in place. If the process is killed before it returns, what was written
// so far is under this very name, where Replace would have left it under another. It is for content
// that exists nowhere else, if its reader notices when it was cut short.
func Write(path string, data []byte) error {
	if err := write(path, os.O_TRUNC, data); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// write writes a file. When it returns, data has reached the disk, but the file's name has not.
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

// syncDir flushes the list of files in dir to the disk.
func syncDir(dir string) (err error) {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	return handle.Sync()
}
