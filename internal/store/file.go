package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// File is a Store in a directory: NAME-keys.json, NAME-state.json and
// NAME-lease.json hold the records and the mirror, NAME.lock is the Lease and
// NAME.cas guards each single write. Records are readable by their owner only.
type File struct {
	dir, name string
}

var _ Store = (*File)(nil)

// OpenFile returns the store in dir. It touches nothing: the directory is made,
// for its owner only, when something is first written to it.
func OpenFile(dir, name string) (*File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fault.Misuse(errors.New("the file store has no directory"), "Name one: --store=file:DIR.")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("locating %q: %w", dir, err), "Give an absolute path: --store=file:DIR.")
	}
	return &File{dir: absolute, name: name}, nil
}

func (f *File) path(suffix string) string { return filepath.Join(f.dir, f.name+suffix) }

func (f *File) keysPath() string  { return f.path("-keys.json") }
func (f *File) statePath() string { return f.path("-state.json") }
func (f *File) leasePath() string { return f.path("-lease.json") }
func (f *File) lockPath() string  { return f.path(".lock") }
func (f *File) casPath() string   { return f.path(".cas") }

// Location returns the paths.
func (f *File) Location() Location {
	return Location{Keys: f.keysPath(), Checkpoint: f.statePath(), Lease: f.lockPath()}
}

func (f *File) keysObject() object {
	return object{name: f.keysPath(), restore: "install -m 600 BACKUP " + f.keysPath()}
}

func (f *File) stateObject() object {
	return object{
		name:    f.statePath(),
		restore: "install -m 600 BACKUP " + f.statePath(),
		rebuilt: "Without a copy, move the file away and run again: the state is found anew from Vault, " +
			"what is forgotten is which objects of the seed were created by us.",
	}
}

// Keys reads the keys record.
func (f *File) Keys(context.Context) (Keys, Revision, error) {
	data, revision, err := f.read(f.keysPath())
	if err != nil || revision == "" {
		return Keys{}, "", err
	}
	keys, err := decodeKeys(data, f.keysObject())
	return keys, revision, err
}

// SaveKeys writes the keys record if it still is at revision.
func (f *File) SaveKeys(ctx context.Context, keys Keys, revision Revision) (Revision, error) {
	data, err := encodeKeys(keys)
	if err != nil {
		return "", err
	}
	return f.swap(ctx, f.keysPath(), data, revision)
}

// Checkpoint reads the checkpoint.
func (f *File) Checkpoint(context.Context) (Checkpoint, Revision, error) {
	data, revision, err := f.read(f.statePath())
	if err != nil || revision == "" {
		return Checkpoint{}, "", err
	}
	checkpoint, err := decodeCheckpoint(data, f.stateObject())
	return checkpoint, revision, err
}

// SaveCheckpoint writes the checkpoint if it still is at revision.
func (f *File) SaveCheckpoint(ctx context.Context, checkpoint Checkpoint, revision Revision) (Revision, error) {
	data, err := encodeCheckpoint(checkpoint)
	if err != nil {
		return "", err
	}
	return f.swap(ctx, f.statePath(), data, revision)
}

// LeaseMirror reads what the holder of the Lease shows.
func (f *File) LeaseMirror(context.Context) (Mirror, error) {
	data, revision, err := f.read(f.leasePath())
	if err != nil || revision == "" {
		return Mirror{}, err
	}
	var wire wireMirror
	if err := json.Unmarshal(data, &wire); err != nil {
		return Mirror{}, fmt.Errorf("reading %s: %w", f.leasePath(), err)
	}
	return wire.mirror(), nil
}

// swap writes data to path if the file there still has the given revision.
func (f *File) swap(ctx context.Context, path string, data []byte, revision Revision) (Revision, error) {
	err := f.exclusively(ctx, func() error {
		_, stored, err := f.read(path)
		if err != nil {
			return err
		}
		if stored != revision {
			return fmt.Errorf("writing %s: %w", path, ErrConflict)
		}
		return f.replace(path, data)
	})
	if err != nil {
		return "", err
	}
	return revisionOf(data), nil
}

// read returns the content of the file at path and its revision, which is empty
// when there is no file. It refuses a file that others can read.
func (f *File) read(path string) ([]byte, Revision, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", f.explain("reading", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, "", f.explain("reading", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, "", fault.Misuse(fmt.Errorf("%s can be read or written by others (mode %04o)", path, mode),
			fmt.Sprintf("Run: chmod 600 %s. Treat what is in it as known to everybody who could log in to this machine.", path))
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, "", f.explain("reading", err)
	}
	return data, revisionOf(data), nil
}

// revisionOf is a digest of the content. That a record went from A to B and back
// to A between a read and a write goes unnoticed, and does no harm: what the
// writer decided on is what is there. In return an edit by hand is a conflict.
func revisionOf(data []byte) Revision {
	sum := sha256.Sum256(data)
	return Revision(hex.EncodeToString(sum[:]))
}

func (f *File) fullRemedy() string {
	return fullRemedy("install -m 600 "+f.keysPath()+" BACKUP", "rm "+f.keysPath())
}

// wireMirror is Mirror as a file holds it.
type wireMirror struct {
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	SeedDigest string    `json:"seed_digest"`
}

func (w wireMirror) mirror() Mirror {
	return Mirror{State: w.State, Since: utc(w.Since), SeedDigest: w.SeedDigest}
}
