package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
)

// beginPlain checks the store and takes the Lease, for a verb that logs plain text.
func (p *program) beginPlain(ctx context.Context, records store.Store) (*fencing.Session, *slog.Logger, error) {
	return p.beginHeld(ctx, 0, records)
}

// beginHeld is beginPlain for a verb that may take longer than the wait for the Lease:
// the session outlives the wait, and ends with Close.
func (p *program) beginHeld(ctx context.Context, wait time.Duration, records store.Store) (*fencing.Session, *slog.Logger, error) {
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	if wait > 0 {
		waiting, hold, release := walk.WaitThenHold(ctx)
		timer := time.AfterFunc(wait, release)
		defer func() { timer.Stop(); hold() }()
		ctx = waiting
	}
	if err := records.Preflight(ctx); err != nil {
		return nil, log, err
	}
	session, err := fencing.Begin(ctx, records, store.LeaseOptions{
		Holder: job.Identity(p.env), Duration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Waiting: func(holder string) { log.Warn("another run holds the lease, waiting for it", "holder", holder) },
	})
	return session, log, err
}
