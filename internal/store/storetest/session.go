package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
)

// unleased is a store whose Lease has failed: everybody gets it. Only the epoch separates two
// sessions.
type unleased struct{ store.Store }

func (unleased) Acquire(ctx context.Context, _ store.LeaseOptions) (store.Held, error) {
	return sham{ctx: ctx}, nil
}

type sham struct{ ctx context.Context }

func (s sham) Context() context.Context               { return s.ctx }
func (sham) Alive() error                             { return nil }
func (sham) Show(context.Context, store.Mirror) error { return nil }
func (sham) Release(context.Context) error            { return nil }

func begin(t *testing.T, s store.Store, holder string) *fencing.Session {
	t.Helper()
	session, err := fencing.Begin(within(t), s, LeaseOptions(holder))
	if err != nil {
		t.Fatalf("%s: %v", holder, err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func end(t *testing.T, session *fencing.Session) {
	t.Helper()
	if err := session.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func wantEpochs(t *testing.T, s store.Store, want int64) {
	t.Helper()
	keys, _ := readKeys(t, s)
	checkpoint, _ := readCheckpoint(t, s)
	if keys.Epoch != want || checkpoint.Epoch != want {
		t.Errorf("the records have the epochs %d and %d, want %d", keys.Epoch, checkpoint.Epoch, want)
	}
}

func sessionEpochs(t *testing.T, b Backend) {
	s := b.Open(t)
	for want := int64(1); want <= 3; want++ {
		session := begin(t, b.Open(t), fmt.Sprintf("holder-%d", want))
		if got := session.Epoch(); got != want {
			t.Errorf("the epoch is %d, want %d", got, want)
		}
		wantEpochs(t, s, want)
		if err := session.UpdateKeys(within(t), func(k *store.Keys) error { k.Epoch = 99; return nil }); err != nil {
			t.Fatal(err)
		}
		wantEpochs(t, s, want)
		if err := session.Alive(); err != nil {
			t.Error(err)
		}
		end(t, session)
		end(t, session)
		if session.Context().Err() == nil {
			t.Error("the context of a closed session goes on")
		}
	}
	// The keys record is emptied: the checkpoint remembers the epoch.
	b.Remove(t, Keys)
	if got := begin(t, s, "holder-4").Epoch(); got != 4 {
		t.Errorf("after the keys record was removed the epoch is %d, want 4", got)
	}
}

func sessionsQueue(t *testing.T, b Backend) {
	const holders = 4
	epochs := make(chan int64, holders)
	var wait sync.WaitGroup
	for i := range holders {
		s := b.Open(t)
		wait.Go(func() {
			session, err := fencing.Begin(within(t), s, LeaseOptions(fmt.Sprintf("holder-%d", i)))
			if err != nil {
				t.Error(err)
				return
			}
			epochs <- session.Epoch()
			err = session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
				c.Remember(store.Transition{Event: fmt.Sprint(i)})
				return nil
			})
			if err := errors.Join(err, session.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for want := int64(1); want <= holders; want++ {
		if got := Receive(t, epochs, "an epoch"); got != want {
			t.Errorf("the session after %d others has epoch %d", want-1, got)
		}
	}
	if c, _ := readCheckpoint(t, b.Open(t)); len(c.History) != holders {
		t.Errorf("%d of %d sessions are in the history", len(c.History), holders)
	}
}

func sessionEpochsUnleased(t *testing.T, b Backend) {
	const holders = 8
	type result struct {
		session *fencing.Session
		err     error
	}
	results := make(chan result, holders)
	for i := range holders {
		s := unleased{b.Open(t)}
		go func() {
			session, err := fencing.Begin(within(t), s, LeaseOptions(fmt.Sprintf("holder-%d", i)))
			results <- result{session, err}
		}()
	}
	seen := map[int64]bool{}
	for range holders {
		switch r := Receive(t, results, "a session"); {
		case r.err == nil && seen[r.session.Epoch()]:
			t.Errorf("two sessions have epoch %d", r.session.Epoch())
		case r.err == nil:
			seen[r.session.Epoch()] = true
		case !errors.Is(r.err, fencing.ErrFenced):
			t.Error(r.err)
		}
	}
	wantEpochs(t, b.Open(t), holders)
	if !seen[holders] {
		t.Errorf("the last session did not begin; those that did: %v", seen)
	}
}

// wantFenced checks that the session can change neither record.
func wantFenced(t *testing.T, session *fencing.Session, s store.Store) {
	t.Helper()
	_, keysBefore := readKeys(t, s)
	_, checkpointBefore := readCheckpoint(t, s)
	called := false
	for name, err := range map[string]error{
		"keys": session.UpdateKeys(within(t), func(k *store.Keys) error {
			called, k.HashKey = true, secret.New("late")
			return nil
		}),
		"checkpoint": session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
			called, c.State = true, "late"
			return nil
		}),
	} {
		if !errors.Is(err, fencing.ErrFenced) || fault.KindOf(err) != fault.Busy {
			t.Errorf("%s: a fenced session's write ends with %v (%s)", name, err, fault.KindOf(err))
		}
	}
	if called {
		t.Error("a fenced session's change was called")
	}
	if _, after := readKeys(t, s); after != keysBefore {
		t.Error("a fenced session wrote the keys")
	}
	if _, after := readCheckpoint(t, s); after != checkpointBefore {
		t.Error("a fenced session wrote the checkpoint")
	}
}

func sessionFenced(t *testing.T, b Backend) {
	s := b.Open(t)
	old := begin(t, s, "old")
	if err := old.UpdateKeys(within(t), func(k *store.Keys) error { k.HashKey = secret.New("h"); return nil }); err != nil {
		t.Fatal(err)
	}
	later := begin(t, unleased{b.Open(t)}, "later")
	wantFenced(t, old, s)
	if err := later.UpdateKeys(within(t), func(k *store.Keys) error { k.AppRole = &store.AppRole{RoleID: "r"}; return nil }); err != nil {
		t.Errorf("the later session cannot write: %v", err)
	}
	keys, err := later.Keys(within(t))
	if err != nil || keys.HashKey.Reveal() != "h" || keys.AppRole == nil {
		t.Errorf("the later session finds %+v, %v", keys, err)
	}
}

func sessionFencedAfterLoss(t *testing.T, b Backend) {
	s := b.Open(t)
	old := begin(t, s, "old")
	b.Rob(t)
	// Late but not overtaken: keys that Vault has just returned are still stored.
	if err := old.UpdateKeys(within(t), func(k *store.Keys) error { k.HashKey = secret.New("h"); return nil }); err != nil {
		t.Errorf("a session without a successor cannot write: %v", err)
	}
	later := begin(t, b.Open(t), "later")
	wantFenced(t, old, s)
	Receive(t, old.Context().Done(), "the end of the old session's context")
	if keys, err := later.Keys(within(t)); err != nil || keys.HashKey.Reveal() != "h" {
		t.Errorf("the later session finds %+v, %v", keys, err)
	}
}
