// Package filestore keeps the records in files in a directory. It must not know what the records
// mean.
package filestore

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
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Store is a store.Store in a directory: NAME-keys.json, NAME-state.json and
// NAME-lease.json hold the records and the mirror, NAME.lock is the Lease and
// NAME.cas guards each single write. Records are readable by their owner only.
type Store struct {
	files
	ledgers *wire.Ledgers
	codec   *sealed.Codec
}

// files knows where the files are, and the remedies for their errors.
type files struct{ dir, name string }

var _ store.Store = (*Store)(nil)

// Open returns the store in dir. It touches nothing: the directory is created, for its owner only,
// when something is first written to it.
func Open(dir, name string) (*Store, error) {
	if err := store.CheckName(name); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fault.Misuse(errors.New("the file store has no directory"), "Name one: --store=file:DIR.")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("locating %q: %w", dir, err), "Give an absolute path: --store=file:DIR.")
	}
	return &Store{files{absolute, name}, &wire.Ledgers{}, sealed.New(name)}, nil
}

func (f files) path(suffix string) string { return filepath.Join(f.dir, f.name+suffix) }

func (f files) keysPath() string  { return f.path("-keys.json") }
func (f files) statePath() string { return f.path("-state.json") }
func (f files) leasePath() string { return f.path("-lease.json") }
func (f files) lockPath() string  { return f.path(".lock") }
func (f files) casPath() string   { return f.path(".cas") }

// Location returns the paths.
func (f *Store) Location() store.Location {
	return store.Location{Keys: f.keysPath(), Checkpoint: f.statePath(), Lease: f.lockPath()}
}

func (f files) keysObject() wire.Object {
	return wire.Object{Name: f.keysPath(), Restore: "install -m 600 BACKUP " + f.keysPath()}
}

func (f files) stateObject() wire.Object {
	return wire.Object{
		Name:    f.statePath(),
		Restore: "install -m 600 BACKUP " + f.statePath(),
		Rebuilt: "Without a copy, move the file away and run again: the state is determined again from Vault, " +
			"but it is no longer known which objects of the seed were created by us.",
	}
}

// Codec returns what encrypts the keys record and opens it.
func (f *Store) Codec() *sealed.Codec { return f.codec }

// Keys reads the keys record, and opens it.
func (f *Store) Keys(ctx context.Context) (store.Keys, store.Revision, error) {
	data, revision, err := f.read(f.keysPath())
	if err != nil || revision == "" {
		return store.Keys{}, "", err
	}
	keys, err := f.codec.Decode(ctx, data, f.keysObject())
	return keys, revision, err
}

// Outline reads the keys record without opening it.
func (f *Store) Outline(context.Context) (store.Keys, store.Revision, error) {
	data, revision, err := f.read(f.keysPath())
	if err != nil || revision == "" {
		return store.Keys{}, "", err
	}
	keys, err := f.codec.Outline(data, f.keysObject())
	return keys, revision, err
}

// SaveKeys writes the keys record if it still is at revision.
func (f *Store) SaveKeys(ctx context.Context, keys store.Keys, revision store.Revision) (store.Revision, error) {
	data, fresh, err := f.codec.Encode(keys)
	if err != nil {
		return "", err
	}
	if fresh {
		point.Reach("record.encrypted")
	}
	revision, err = f.swap(ctx, f.keysPath(), data, revision)
	if err != nil || !fresh {
		return revision, err
	}
	point.Reach("record.stored")
	stored, _, err := f.read(f.keysPath())
	if err != nil {
		return "", err
	}
	return revision, f.codec.Confirm(stored, keys, f.keysObject())
}

// Checkpoint reads the checkpoint.
func (f *Store) Checkpoint(context.Context) (store.Checkpoint, store.Revision, error) {
	data, revision, err := f.read(f.statePath())
	if err != nil || revision == "" {
		return store.Checkpoint{}, "", err
	}
	checkpoint, err := f.ledgers.DecodeCheckpoint(data, f.stateObject())
	return checkpoint, revision, err
}

// SaveCheckpoint writes the checkpoint if it still is at revision.
func (f *Store) SaveCheckpoint(ctx context.Context, checkpoint store.Checkpoint, revision store.Revision) (store.Revision, error) {
	data, err := f.ledgers.EncodeCheckpoint(checkpoint)
	if err != nil {
		return "", err
	}
	return f.swap(ctx, f.statePath(), data, revision)
}

// LeaseMirror reads the mirror that the holder of the Lease has written.
func (f *Store) LeaseMirror(context.Context) (store.Mirror, error) {
	data, revision, err := f.read(f.leasePath())
	if err != nil || revision == "" {
		return store.Mirror{}, err
	}
	var wire wireMirror
	if err := json.Unmarshal(data, &wire); err != nil {
		return store.Mirror{}, fmt.Errorf("reading %s: %w", f.leasePath(), err)
	}
	return wire.mirror(), nil
}

// swap writes data to path if the file there still has the given revision.
func (f *Store) swap(ctx context.Context, path string, data []byte, revision store.Revision) (store.Revision, error) {
	err := f.exclusively(ctx, func() error {
		_, stored, err := f.read(path)
		if err != nil {
			return err
		}
		if stored != revision {
			return fmt.Errorf("writing %s: %w", path, store.ErrConflict)
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
func (f *Store) read(path string) ([]byte, store.Revision, error) {
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
			fmt.Sprintf("Run: chmod 600 %s. Assume that everybody who could log in to this machine has read it.", path))
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, "", f.explain("reading", err)
	}
	return data, revisionOf(data), nil
}

// revisionOf is a digest of the content. A change from A to B and back to A between a read and a
// write goes unnoticed, which is harmless: the record is what the writer has seen. In return, an
// edit by hand is a conflict.
func revisionOf(data []byte) store.Revision {
	sum := sha256.Sum256(data)
	return store.Revision(hex.EncodeToString(sum[:]))
}

func (f files) fullRemedy() string {
	return wire.FullRemedy("install -m 600 "+f.keysPath()+" BACKUP", "rm "+f.keysPath())
}

// wireMirror is Mirror as a file holds it.
type wireMirror struct {
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	SeedDigest string    `json:"seed_digest"`
}

func (w wireMirror) mirror() store.Mirror {
	return store.Mirror{State: w.State, Since: wire.UTC(w.Since), SeedDigest: w.SeedDigest}
}
