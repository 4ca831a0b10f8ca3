package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// beginPlain checks the store and takes the Lease, for a verb that logs plain text.
func (p *program) beginPlain(ctx context.Context, records store.Store) (*fencing.Session, *slog.Logger, error) {
	return p.beginHeld(ctx, 0, records)
}

// beginHeld is beginPlain for a verb that may take longer than the wait for the Lease:
// the session outlives the wait, and ends with Close.
func (p *program) beginHeld(ctx context.Context, wait time.Duration, records store.Store) (*fencing.Session, *slog.Logger, error) {
	return p.beginWith(ctx, wait, records, fencing.Begin)
}

// begins takes the Lease and an epoch.
type begins func(context.Context, store.Store, store.LeaseOptions) (*fencing.Session, error)

// beginWith is beginHeld for a verb that says how its session begins.
func (p *program) beginWith(ctx context.Context, wait time.Duration, records store.Store, begin begins) (*fencing.Session, *slog.Logger, error) {
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
	session, err := begin(ctx, records, store.LeaseOptions{
		Holder: job.Identity(p.env), Duration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Waiting: func(holder string) { log.Warn("another run holds the lease, waiting for it", "holder", holder) },
	})
	if err == nil {
		job.WarnOfEncryption(log, records)
	}
	return session, log, err
}

// ceremonyOptions are what a verb needs that works with the stored keys under the Lease.
type ceremonyOptions struct {
	store   job.StoreOptions
	vault   job.VaultOptions
	own     job.OwnLoginOptions
	timeout time.Duration
}

// register registers the flags. timeout says what --timeout limits.
func (o *ceremonyOptions) register(flags *pflag.FlagSet, timeout string) {
	registerStore(flags, &o.store)
	registerVault(flags, &o.vault)
	o.own.Store, o.own.Vault = &o.store, &o.vault
	registerOwnLogin(flags, &o.own)
	flags.DurationVar(&o.timeout, "timeout", time.Minute, timeout)
}

// heldKeys is the right to work with the stored keys, until Close of its session.
type heldKeys struct {
	*ceremony.Administrator
	records store.Store
	servers *job.Servers
	session *fencing.Session
	log     *slog.Logger
}

// holdKeys takes the Lease, and returns who works with the keys. Requests to Vault then stop with
// the Lease.
func (p *program) holdKeys(ctx context.Context, o *ceremonyOptions) (*heldKeys, error) {
	records, kind, err := o.store.Open(p.env)
	if err != nil {
		return nil, err
	}
	servers, err := o.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return nil, err
	}
	logIns, err := o.own.LogIns(ctx, p.env, records, kind, servers, p.warnings())
	if err != nil {
		return nil, err
	}
	session, log, err := p.beginHeld(ctx, o.timeout, records)
	if err != nil {
		return nil, err
	}
	servers.Cluster.Guard(session.Alive)
	administrator := servers.Administrator(session, job.Identity(p.env), log)
	administrator.LogIns = logIns
	return &heldKeys{administrator, records, servers, session, log}, nil
}
