package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

func nothingThere(t *testing.T, b Backend) {
	s := b.Open(t)
	if revision := wantKeys(t, s, store.Keys{}); revision != "" {
		t.Errorf("keys that are not there have the revision %q", revision)
	}
	if revision := wantCheckpoint(t, s, store.Checkpoint{}); revision != "" {
		t.Errorf("a checkpoint that is not there has the revision %q", revision)
	}
	location := s.Location()
	if location.Keys == "" || location.Checkpoint == "" || location.Lease == "" {
		t.Errorf("the location is %+v", location)
	}
}

func roundTrip(t *testing.T, b Backend) {
	s := b.Open(t)
	keysRevision, err := s.SaveKeys(within(t), sampleKeys(), "")
	if err != nil {
		t.Fatal(err)
	}
	checkpointRevision, err := s.SaveCheckpoint(within(t), sampleCheckpoint(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, handle := range map[string]store.Store{"the same handle": s, "a new handle": b.Open(t)} {
		if got := wantKeys(t, handle, sampleKeys()); got != keysRevision {
			t.Errorf("%s: the keys have revision %q, saving said %q", name, got, keysRevision)
		}
		if got := wantCheckpoint(t, handle, sampleCheckpoint()); got != checkpointRevision {
			t.Errorf("%s: the checkpoint has revision %q, saving said %q", name, got, checkpointRevision)
		}
	}
	// A second write: what was taken out is gone, what was added is there.
	keys := sampleKeys()
	keys.Root, keys.Old = nil, nil
	next, err := b.Open(t).SaveKeys(within(t), keys, keysRevision)
	if err != nil {
		t.Fatal(err)
	}
	if next == keysRevision {
		t.Error("a write did not change the revision")
	}
	wantKeys(t, s, keys)
	if strings.Contains(string(b.Planted(t, Keys)), "hvs.root") {
		t.Error("the root token is still there after it was taken out")
	}
	wantCheckpoint(t, s, sampleCheckpoint())
}

func conflicts(t *testing.T, b Backend) {
	s := b.Open(t)
	first, err := s.SaveKeys(within(t), sampleKeys(), "")
	if err != nil {
		t.Fatal(err)
	}
	second := sampleKeys()
	second.Epoch++
	if _, err := b.Open(t).SaveKeys(within(t), second, first); err != nil {
		t.Fatal(err)
	}
	for _, revision := range []store.Revision{first, "", "1"} {
		if _, err := s.SaveKeys(within(t), sampleKeys(), revision); !errors.Is(err, store.ErrConflict) || fault.KindOf(err) != fault.Transient {
			t.Errorf("writing over a change, at revision %q: %v", revision, err)
		}
	}
	wantKeys(t, s, second)

	once, err := s.SaveCheckpoint(within(t), sampleCheckpoint(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveCheckpoint(within(t), store.Checkpoint{}, ""); !errors.Is(err, store.ErrConflict) {
		t.Errorf("writing a checkpoint over another: %v", err)
	}
	if got := wantCheckpoint(t, s, sampleCheckpoint()); got != once {
		t.Errorf("a refused write changed the revision from %q to %q", once, got)
	}
}

func removedRecord(t *testing.T, b Backend) {
	s := b.Open(t)
	revision, err := s.SaveKeys(within(t), sampleKeys(), "")
	if err != nil {
		t.Fatal(err)
	}
	b.Remove(t, Keys)
	if got := wantKeys(t, s, store.Keys{}); got != "" {
		t.Errorf("a removed record has the revision %q", got)
	}
	if _, err := s.SaveKeys(within(t), sampleKeys(), revision); !errors.Is(err, store.ErrConflict) {
		t.Errorf("writing a record that was removed: %v", err)
	}
	if _, err := s.SaveKeys(within(t), sampleKeys(), ""); err != nil {
		t.Errorf("writing it again: %v", err)
	}
}

func firstWriteRace(t *testing.T, b Backend) {
	const writers = 8
	handles := make([]store.Store, writers)
	for i := range handles {
		handles[i] = b.Open(t)
	}
	for _, record := range []struct {
		name  string
		write func(s store.Store, mark int64) error
		mark  func() int64
	}{
		{
			"keys",
			func(s store.Store, mark int64) error {
				_, err := s.SaveKeys(within(t), store.Keys{Epoch: mark}, "")
				return err
			},
			func() int64 { keys, _ := readKeys(t, handles[0]); return keys.Epoch },
		},
		{
			"checkpoint",
			func(s store.Store, mark int64) error {
				_, err := s.SaveCheckpoint(within(t), store.Checkpoint{Epoch: mark}, "")
				return err
			},
			func() int64 { checkpoint, _ := readCheckpoint(t, handles[0]); return checkpoint.Epoch },
		},
	} {
		errs := make([]error, writers)
		var wait sync.WaitGroup
		start := make(chan struct{})
		for i, handle := range handles {
			wait.Go(func() {
				<-start
				errs[i] = record.write(handle, int64(i+1))
			})
		}
		close(start)
		wait.Wait()
		winner := int64(0)
		for i, err := range errs {
			switch {
			case err == nil && winner != 0:
				t.Errorf("%s: writers %d and %d both won", record.name, winner, i+1)
			case err == nil:
				winner = int64(i + 1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("%s: writer %d lost with %v", record.name, i+1, err)
			}
		}
		if mark := record.mark(); winner == 0 || mark != winner {
			t.Errorf("%s: the winner is %d, stored is %d", record.name, winner, mark)
		}
	}
}

func historyIsCapped(t *testing.T, b Backend) {
	s := b.Open(t)
	var c store.Checkpoint
	for i := range store.HistoryLimit + 5 {
		c.History = append(c.History, store.Transition{Event: fmt.Sprint(i)})
	}
	if _, err := s.SaveCheckpoint(within(t), c, ""); err != nil {
		t.Fatal(err)
	}
	back, _ := readCheckpoint(t, s)
	if len(back.History) != store.HistoryLimit || back.History[0].Event != "5" {
		t.Errorf("%d transitions came back", len(back.History))
	}
}

func notUnderstood(t *testing.T, b Backend) {
	s := b.Open(t)
	for _, test := range []struct{ name, content, fault string }{
		{"empty", "", wire.RecordCorrupt},
		{"cut off", `{"version":1,"epo`, wire.RecordCorrupt},
		{"later", `{"version":99}`, wire.RecordLater},
		{"unknown field", `{"version":1,"epoch":1,"wrapped_shares":["x"]}`, wire.RecordLater},
	} {
		for _, record := range []Record{Keys, Checkpoint} {
			b.Plant(t, record, []byte(test.content))
			_, _, err := s.Keys(within(t))
			where := s.Location().Keys
			if record == Checkpoint {
				_, _, err = s.Checkpoint(within(t))
				where = s.Location().Checkpoint
			}
			if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != test.fault || fault.RemedyOf(err) == "" {
				t.Errorf("%s, %s: %v (%s), want a terminal %q with a remedy", record, test.name, err, fault.KindOf(err), test.fault)
			} else if !strings.Contains(err.Error(), where) {
				t.Errorf("%s, %s: %q does not name %s", record, test.name, err, where)
			}
			if err := s.Preflight(within(t)); fault.NameOf(err) != test.fault {
				t.Errorf("%s, %s: preflight says %v", record, test.name, err)
			}
			if got := string(b.Planted(t, record)); got != test.content {
				t.Errorf("%s, %s: it was changed to %q", record, test.name, got)
			}
			b.Remove(t, record)
		}
	}
}

func preflightChangesNothing(t *testing.T, b Backend) {
	s := b.Open(t)
	if err := s.Preflight(within(t)); err != nil {
		t.Fatalf("preflight of an empty store: %v", err)
	}
	if revision := wantKeys(t, s, store.Keys{}); revision != "" {
		t.Error("preflight made a keys record")
	}
	if revision := wantCheckpoint(t, s, store.Checkpoint{}); revision != "" {
		t.Error("preflight made a checkpoint")
	}
	before, err := s.SaveKeys(within(t), sampleKeys(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Preflight(within(t)); err != nil {
		t.Fatalf("preflight of a store with keys: %v", err)
	}
	if after := wantKeys(t, s, sampleKeys()); after != before {
		t.Errorf("preflight changed the revision from %q to %q", before, after)
	}
}

// A rehearsal fails as the write would, and leaves what is there.
func rehearsalChangesNothing(t *testing.T, b Backend) {
	s := b.Open(t)
	check(t, s.Rehearse(within(t), sampleKeys(), ""))
	if got := wantKeys(t, s, store.Keys{}); got != "" {
		t.Errorf("a rehearsed record has the revision %q", got)
	}
	revision, err := s.SaveKeys(within(t), sampleKeys(), "")
	check(t, err)
	before := b.Planted(t, Keys)
	other := sampleKeys()
	other.HashKey = secret.New("another")
	check(t, s.Rehearse(within(t), other, revision))
	for _, earlier := range []store.Revision{"", "1"} {
		if err := s.Rehearse(within(t), other, earlier); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a rehearsal at the revision %q: %v", earlier, err)
		}
	}
	other.HashKey = secret.New(strings.Repeat("x", 1<<20))
	if err := s.Rehearse(within(t), other, revision); fault.NameOf(err) != wire.RecordFull || fault.KindOf(err) != fault.Terminal {
		t.Errorf("a rehearsal of too much: %v", err)
	}
	if got := wantKeys(t, s, sampleKeys()); got != revision || string(b.Planted(t, Keys)) != string(before) {
		t.Errorf("the rehearsals left the revision %q, not %q", got, revision)
	}
	if concerns, err := s.Concerns(within(t)); err != nil || len(concerns) > 0 {
		t.Errorf("there are concerns: %+v, %v", concerns, err)
	}
}
