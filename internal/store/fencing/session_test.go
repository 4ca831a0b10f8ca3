package fencing_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/filestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	records, err := filestore.Open(dir, "vb")
	check(t, err)
	return records
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestConformance runs the suite's sessions on files, which are the quickest store.
func TestConformance(t *testing.T) {
	storetest.RunQuick(t, func(t *testing.T) storetest.Backend {
		dir := t.TempDir()
		location := open(t, dir).Location()
		paths := map[storetest.Record]string{storetest.Keys: location.Keys, storetest.Checkpoint: location.Checkpoint}
		return storetest.Backend{
			Open: func(t *testing.T) store.Store { return open(t, dir) },
			Plant: func(t *testing.T, record storetest.Record, content []byte) {
				check(t, os.WriteFile(paths[record], content, 0o600))
			},
			Planted: func(t *testing.T, record storetest.Record) []byte {
				content, err := os.ReadFile(paths[record])
				check(t, err)
				return content
			},
			Remove: func(t *testing.T, record storetest.Record) { check(t, os.Remove(paths[record])) },
		}
	})
}

// remembering is a store that answers from memory, which may be out of date.
type remembering struct {
	store.Store
	keys       store.Keys
	checkpoint store.Checkpoint
	revision   store.Revision
	reads      int
}

func (r *remembering) RecentKeys() (store.Keys, store.Revision, bool) {
	return r.keys, r.revision, true
}
func (r *remembering) RecentCheckpoint() (store.Checkpoint, store.Revision, bool) {
	return r.checkpoint, r.revision, true
}

func (r *remembering) Outline(ctx context.Context) (store.Keys, store.Revision, error) {
	r.reads++
	return r.Store.Outline(ctx)
}

// A session starts from what its store remembers, and reads what has changed.
func TestASessionBeginsFromMemory(t *testing.T) {
	dir := t.TempDir()
	fresh := &remembering{Store: open(t, dir)}
	session, err := fencing.Begin(t.Context(), fresh, storetest.LeaseOptions("a"))
	check(t, err)
	if fresh.reads != 0 || session.Epoch() != 1 || !session.WroteCheckpoint(session.CheckpointRevision()) {
		t.Errorf("the keys were read %d times, the epoch is %d", fresh.reads, session.Epoch())
	}
	check(t, session.Close())
	late := &remembering{Store: open(t, dir)} // remembers that nothing is there
	session, err = fencing.Begin(t.Context(), late, storetest.LeaseOptions("b"))
	check(t, err)
	defer func() { _ = session.Close() }()
	if late.reads != 1 || session.Epoch() != 2 {
		t.Errorf("the keys were read %d times, the epoch is %d", late.reads, session.Epoch())
	}
}

// broken is a store whose keys cannot be read, and whose checkpoint cannot be written, while err is
// set.
type broken struct {
	store.Store
	err error
}

func (b *broken) Keys(ctx context.Context) (store.Keys, store.Revision, error) {
	if b.err != nil {
		return store.Keys{}, "", b.err
	}
	return b.Store.Keys(ctx)
}

func (b *broken) SaveCheckpoint(ctx context.Context, c store.Checkpoint, revision store.Revision) (store.Revision, error) {
	if b.err != nil {
		return "", b.err
	}
	return b.Store.SaveCheckpoint(ctx, c, revision)
}

func TestAStoreThatFails(t *testing.T) {
	away := errors.New("the disk is away")
	if _, err := fencing.Begin(t.Context(), &broken{open(t, t.TempDir()), away}, storetest.LeaseOptions("a")); !errors.Is(err, away) {
		t.Errorf("beginning: %v", err)
	}
	if _, err := fencing.Begin(t.Context(), open(t, t.TempDir()), store.LeaseOptions{}); fault.KindOf(err) != fault.Usage {
		t.Errorf("without options: %v", err)
	}
	records := &broken{Store: open(t, t.TempDir())}
	session, err := fencing.Begin(t.Context(), records, storetest.LeaseOptions("a"))
	check(t, err)
	defer func() { _ = session.Close() }()
	records.err = away
	nothing := func(*store.Keys) error { return nil }
	for what, err := range map[string]error{
		"keys":              third(session.Keys(t.Context())),
		"update keys":       session.UpdateKeys(t.Context(), nothing),
		"deliver":           session.Deliver(t.Context(), nothing),
		"rehearse":          session.Rehearse(t.Context(), nothing),
		"update checkpoint": session.UpdateCheckpoint(t.Context(), func(c *store.Checkpoint) error { c.State = "x"; return nil }),
	} {
		if !errors.Is(err, away) {
			t.Errorf("%s: %v", what, err)
		}
	}
	records.err = nil
	refusal := errors.New("not so")
	if err := session.Rehearse(t.Context(), func(*store.Keys) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("rehearsing: %v", err)
	}
	check(t, session.Rehearse(t.Context(), nothing))
	check(t, session.Show(t.Context(), store.Mirror{State: "x"}))
}

func third[T any](_ T, err error) error { return err }
