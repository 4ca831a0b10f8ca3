package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func acquire(t *testing.T, s store.Store, holder string) store.Held {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	held, err := s.Acquire(ctx, LeaseOptions(holder))
	if err != nil {
		cancel()
		t.Fatalf("%s: %v", holder, err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = held.Release(context.Background())
	})
	return held
}

// waiter is an Acquire in progress.
type waiter struct {
	reported chan string
	result   chan acquired
}

type acquired struct {
	held store.Held
	err  error
}

func waitFor(ctx context.Context, s store.Store, holder string) waiter {
	w := waiter{reported: make(chan string, 100), result: make(chan acquired, 1)}
	options := LeaseOptions(holder)
	options.Waiting = func(holder string) { w.reported <- holder }
	go func() {
		held, err := s.Acquire(ctx, options)
		w.result <- acquired{held, err}
	}()
	return w
}

// reportsHolder waits until the waiter has reported who holds the Lease.
func (w waiter) reportsHolder(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-w.reported:
		if got != want {
			t.Errorf("the waiter reported %q as the holder of the Lease, want %q", got, want)
		}
	case r := <-w.result:
		if r.err == nil {
			_ = r.held.Release(context.Background())
		}
		t.Fatalf("the waiter did not wait: %v", r.err)
	case <-time.After(patience):
		t.Fatal("the waiter reported nothing")
	}
}

// acquires waits until the waiter has the Lease.
func (w waiter) acquires(t *testing.T) store.Held {
	t.Helper()
	r := Receive(t, w.result, "the Lease")
	if r.err != nil {
		t.Fatalf("the waiter did not get the Lease: %v", r.err)
	}
	t.Cleanup(func() { _ = r.held.Release(context.Background()) })
	return r.held
}

func release(t *testing.T, held store.Held) {
	t.Helper()
	if err := held.Release(within(t)); err != nil {
		t.Errorf("releasing: %v", err)
	}
}

func leaseWaiting(t *testing.T, b Backend) {
	a := acquire(t, b.Open(t), "holder-a")
	w := waitFor(within(t), b.Open(t), "holder-b")
	w.reportsHolder(t, "holder-a")
	if err := a.Alive(); err != nil {
		t.Errorf("the holder does not hold the Lease: %v", err)
	}
	release(t, a)
	second := w.acquires(t)
	if err := second.Context().Err(); err != nil {
		t.Errorf("the second holder's context has ended: %v", err)
	}
	if len(w.reported) != 0 {
		t.Errorf("the waiter reported again: %q", <-w.reported)
	}
	third := waitFor(within(t), b.Open(t), "holder-c")
	third.reportsHolder(t, "holder-b")
	release(t, second)
	third.acquires(t)
}

func leaseWaitingInVain(t *testing.T, b Backend) {
	acquire(t, b.Open(t), "holder-a")
	ctx, cancel := context.WithCancelCause(within(t))
	w := waitFor(ctx, b.Open(t), "holder-b")
	w.reportsHolder(t, "holder-a")
	cause := errors.New("enough")
	cancel(cause)
	r := Receive(t, w.result, "the end of the wait")
	if fault.KindOf(r.err) != fault.Busy || !strings.Contains(r.err.Error(), "holder-a") || !errors.Is(r.err, cause) {
		t.Errorf("waiting in vain ends with %v (%s)", r.err, fault.KindOf(r.err))
	}
}

func leaseRelease(t *testing.T, b Backend) {
	s := b.Open(t)
	a := acquire(t, s, "holder-a")
	release(t, a)
	release(t, a)
	if a.Context().Err() == nil {
		t.Error("the context of a released Lease goes on")
	}
	if err := a.Alive(); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("a released Lease says %v", err)
	}
	if err := a.Show(within(t), store.Mirror{State: "late"}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("a released Lease shows: %v", err)
	}
	second := acquire(t, s, "holder-b")
	release(t, a)
	if err := second.Alive(); err != nil {
		t.Errorf("releasing again took the next holder's Lease: %v", err)
	}
}

func leaseDeadHolder(t *testing.T, b Backend) {
	options := LeaseOptions("dead")
	b.Orphan(t, options)
	begin := time.Now()
	acquire(t, b.Open(t), "heir")
	took := time.Since(begin)
	t.Logf("taken over %s after the holder's death; a claim lives %s", took.Round(time.Millisecond), options.Duration)
	if limit := options.Duration + 15*time.Second; took > limit {
		t.Errorf("taking over took %s, longer than %s", took, limit)
	}
}

func leaseLost(t *testing.T, b Backend) {
	a := acquire(t, b.Open(t), "holder-a")
	b.Rob(t)
	Receive(t, a.Context().Done(), "the end of the robbed holder's context")
	cause := context.Cause(a.Context())
	if !errors.Is(cause, store.ErrLeaseLost) || fault.KindOf(cause) != fault.Busy || fault.RemedyOf(cause) == "" {
		t.Errorf("the cause is %v (%s)", cause, fault.KindOf(cause))
	}
	if err := a.Alive(); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("after the loss Alive says %v", err)
	}
	if err := a.Show(within(t), store.Mirror{State: "late"}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("after the loss Show says %v", err)
	}
	if mirror, err := b.Open(t).LeaseMirror(within(t)); err != nil || mirror.State == "late" {
		t.Errorf("the Lease shows %+v, %v", mirror, err)
	}
	release(t, a)
	acquire(t, b.Open(t), "holder-b")
}

// When the run has to end, what must not be cut off still needs the Lease.
func leaseKept(t *testing.T, b Backend) {
	ctx, cancel := context.WithCancelCause(within(t))
	a, err := b.Open(t).Acquire(ctx, LeaseOptions("holder-a"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Release(context.Background()) }()
	cause := errors.New("SIGTERM")
	cancel(cause)
	if got := context.Cause(a.Context()); !errors.Is(got, cause) {
		t.Errorf("the cause is %v, want %v", got, cause)
	}
	// For longer than a claim lives: it must be renewed meanwhile.
	waiting, enough := context.WithTimeout(within(t), LeaseOptions("").Duration+2*time.Second)
	defer enough()
	if held, err := b.Open(t).Acquire(waiting, LeaseOptions("holder-b")); fault.KindOf(err) != fault.Busy {
		t.Errorf("a Lease that is still needed was taken: %v, %v", held, err)
	}
	if err := a.Alive(); err != nil {
		t.Errorf("the Lease was lost: %v", err)
	}
	if err := a.Show(within(t), store.Mirror{State: "initialized"}); err != nil {
		t.Errorf("showing: %v", err)
	}
	release(t, a)
	acquire(t, b.Open(t), "holder-b")
}

func leaseMirror(t *testing.T, b Backend) {
	s, reader := b.Open(t), b.Open(t)
	if mirror, err := reader.LeaseMirror(within(t)); err != nil || mirror != (store.Mirror{}) {
		t.Errorf("without a Lease it shows %+v, %v", mirror, err)
	}
	a := acquire(t, s, "holder-a")
	if mirror, err := reader.LeaseMirror(within(t)); err != nil || mirror != (store.Mirror{}) {
		t.Errorf("before anything was shown it shows %+v, %v", mirror, err)
	}
	for _, want := range []store.Mirror{
		{State: "unsealed", Since: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)},
		{State: "seeded", Since: time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC), SeedDigest: "sha256:d"},
	} {
		if err := a.Show(within(t), want); err != nil {
			t.Fatal(err)
		}
		if mirror, err := reader.LeaseMirror(within(t)); err != nil || mirror != want {
			t.Errorf("it shows %+v, %v, want %+v", mirror, err, want)
		}
	}
	release(t, a)
	acquire(t, s, "holder-b")
	if mirror, err := reader.LeaseMirror(within(t)); err != nil || mirror.State != "seeded" {
		t.Errorf("the next holder finds %+v, %v", mirror, err)
	}
}
