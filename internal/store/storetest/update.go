package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

func sessionUpdate(t *testing.T, b Backend) {
	s := b.Open(t)
	session := begin(t, s, "holder")
	// A write by somebody else (a person) between our read and our write.
	calls := 0
	err := session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
		if calls++; calls == 1 {
			theirs, revision := readCheckpoint(t, s)
			theirs.ClusterID = "theirs"
			if _, err := s.SaveCheckpoint(within(t), theirs, revision); err != nil {
				t.Fatal(err)
			}
		}
		c.State = "ours"
		return nil
	})
	if err != nil || calls != 2 {
		t.Errorf("an update across a conflict took %d calls and ended with %v", calls, err)
	}
	if c, err := session.Checkpoint(within(t)); err != nil || c.State != "ours" || c.ClusterID != "theirs" {
		t.Errorf("after the conflict the checkpoint is %+v, %v", c, err)
	}
	// An error of the change is returned, and nothing is written.
	_, before := readKeys(t, s)
	refusal := errors.New("no")
	err = session.UpdateKeys(within(t), func(k *store.Keys) error { k.HashKey = secret.New("x"); return refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("the change's error came back as %v", err)
	}
	if _, after := readKeys(t, s); after != before {
		t.Error("a change that failed was written")
	}
	if err := session.Show(within(t), store.Mirror{State: "ours"}); err != nil {
		t.Error(err)
	}
	if mirror, err := s.LeaseMirror(within(t)); err != nil || mirror.State != "ours" {
		t.Errorf("the Lease shows %+v, %v", mirror, err)
	}
}

// Even a late holder stores keys that exist nowhere else, and the later session stays the one that
// may write.
func sessionDelivery(t *testing.T, b Backend) {
	s := b.Open(t)
	old := begin(t, s, "old")
	check(t, old.UpdateKeys(within(t), func(k *store.Keys) error { k.Attempt = &store.Attempt{ID: "a"}; return nil }))
	later := begin(t, unleased{b.Open(t)}, "later")
	calls := 0
	check(t, old.Deliver(within(t), func(k *store.Keys) error {
		if calls++; calls == 1 {
			check(t, later.UpdateKeys(within(t), func(k *store.Keys) error { k.HashKey = secret.New("h"); return nil }))
		}
		if k.Attempt == nil || k.Attempt.ID != "a" {
			t.Errorf("delivering to %+v", k)
		}
		k.Root = &store.Root{Token: secret.New("hvs.root")}
		return nil
	}))
	keys, before := readKeys(t, s)
	if calls != 2 || keys.Root == nil || keys.HashKey.Reveal() != "h" || keys.Epoch != later.Epoch() {
		t.Errorf("after %d calls the record is %+v, the later session has epoch %d", calls, keys, later.Epoch())
	}
	refusal := errors.New("the attempt is over")
	if err := old.Deliver(within(t), func(*store.Keys) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("a refused delivery ends with %v", err)
	}
	if _, after := readKeys(t, s); after != before {
		t.Error("a refused delivery was written")
	}
	wantFenced(t, old, s)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sessionConcurrentUpdates(t *testing.T, b Backend) {
	const writers, each = 5, 4
	session := begin(t, b.Open(t), "holder")
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			for range each {
				err := session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
					c.Remember(store.Transition{Event: fmt.Sprint(i)})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if c, _ := readCheckpoint(t, b.Open(t)); len(c.History) != writers*each {
		t.Errorf("%d of %d updates survived", len(c.History), writers*each)
	}
}

// Somebody removes the records in the middle of a run: keys that Vault returns after that must
// still be stored.
func sessionRemovedRecords(t *testing.T, b Backend) {
	s := b.Open(t)
	session := begin(t, s, "holder")
	b.Remove(t, Keys)
	b.Remove(t, Checkpoint)
	if err := session.UpdateKeys(within(t), func(k *store.Keys) error { k.HashKey = secret.New("h"); return nil }); err != nil {
		t.Errorf("writing keys again: %v", err)
	}
	if err := session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { c.State = "s"; return nil }); err != nil {
		t.Errorf("writing the checkpoint again: %v", err)
	}
	wantEpochs(t, s, session.Epoch())
	begin(t, unleased{b.Open(t)}, "later")
	wantFenced(t, session, s)
}

func sessionCorruptRecord(t *testing.T, b Backend) {
	for _, record := range []Record{Keys, Checkpoint} {
		b.Plant(t, record, []byte(`{"version":1,`))
		session, err := fencing.Begin(within(t), b.Open(t), LeaseOptions("holder"))
		if fault.NameOf(err) != wire.RecordCorrupt {
			t.Errorf("%s: beginning on a corrupt record: %v, %v", record, session, err)
		}
		if got := string(b.Planted(t, record)); got != `{"version":1,` {
			t.Errorf("%s: it was changed to %q", record, got)
		}
		b.Remove(t, record)
	}
	// The Lease was given back.
	end(t, begin(t, b.Open(t), "next"))
}

// An update that changes nothing is not written, even if it edits in place; and the session knows
// which revision is its own.
func sessionUnchanged(t *testing.T, b Backend) {
	s := b.Open(t)
	session := begin(t, s, "holder")
	set := func(c *store.Checkpoint) error { c.Open = map[string]string{"a": "1"}; return nil }
	check(t, session.UpdateCheckpoint(within(t), set))
	_, before := readCheckpoint(t, s)
	if got := session.CheckpointRevision(); got != before {
		t.Errorf("the session knows the revision %q, the checkpoint has %q", got, before)
	}
	check(t, session.UpdateCheckpoint(within(t), set))
	_, keysBefore := readKeys(t, s)
	check(t, session.UpdateKeys(within(t), func(k *store.Keys) error { k.Epoch = 99; return nil }))
	if _, after := readCheckpoint(t, s); after != before {
		t.Errorf("an unchanged checkpoint went from %q to %q", before, after)
	}
	if _, after := readKeys(t, s); after != keysBefore {
		t.Errorf("an unchanged keys record went from %q to %q", keysBefore, after)
	}
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { c.Open["a"] = "2"; return nil }))
	if c, after := readCheckpoint(t, s); after == before || c.Open["a"] != "2" {
		t.Errorf("what was changed in place is not written: %+v", c)
	}
}
