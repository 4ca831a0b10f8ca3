package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// ownReplica is the one Vault server that this process stands beside.
type ownReplica struct {
	opener  *states.Opener
	records store.Store
	log     *slog.Logger
	told    string
}

// ownReplica prepares the way to the server at address, with the TLS settings of all.
func (p *program) ownReplica(address string, options *vaultOptions, records store.Store, log *slog.Logger) (*ownReplica, error) {
	alone := *options
	alone.addresses, alone.discovery = []string{address}, discoveryOptions{scheme: "https", statefulSet: options.discovery.statefulSet}
	servers, err := alone.open(p.env, nil)
	if err != nil {
		return nil, err
	}
	return &ownReplica{opener: states.NewOpener(&states.Setting{Log: log, Now: time.Now}, servers.members()), records: records, log: log}, nil
}

// open unseals it if it is sealed, and returns its health before that. It fails while it is
// not open; why is logged once.
func (r *ownReplica) open(ctx context.Context) (fsm.Health, error) {
	health, err := r.opener.OpenOwn(ctx, store.Reader{Store: r.records})
	if err == nil {
		r.told = ""
		return health, nil
	}
	if text := err.Error(); text != r.told && ctx.Err() == nil {
		r.told = text
		r.log.Info("our own replica is not open", "reason", text, "remedy", fault.RemedyOf(err))
	}
	return health, err
}

// keep looks after it until ctx ends.
func (r *ownReplica) keep(ctx context.Context, every time.Duration) {
	hurried := hurry{usual: every}
	for {
		health, _ := r.open(ctx) // the error is logged
		if !pause(ctx, hurried.next(time.Now(), health == fsm.NoAnswer)) {
			return
		}
	}
}
