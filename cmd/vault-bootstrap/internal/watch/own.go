package watch

import (
	"context"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// ownReplica is the one Vault server that this process runs beside.
type ownReplica struct {
	opener  *states.Opener
	records store.Store
	renewal *renewal
	log     *slog.Logger
	logged  string
}

// newOwnReplica prepares access to the server at address, with the TLS settings of all servers.
func newOwnReplica(env job.Lookup, address string, options *job.VaultOptions, records store.Store, log *slog.Logger) (*ownReplica, error) {
	alone := *options
	alone.Addresses, alone.Discovery = []string{address}, job.DiscoveryOptions{Scheme: "https", StatefulSet: options.Discovery.StatefulSet}
	servers, err := alone.Open(env, nil)
	if err != nil {
		return nil, err
	}
	// The watch logs that the same files have changed.
	files := func() []string { return alone.CertificateFiles(env) }
	return &ownReplica{
		opener:  states.NewOpener(&states.Setting{Log: log, Now: time.Now}, servers.Members()),
		records: records, log: log,
		renewal: newRenewal(files, servers.Cluster.Renew, slog.New(slog.DiscardHandler)),
	}, nil
}

// open unseals the replica if it is sealed, and returns its health before that. It fails while the
// replica is not open, and logs each reason once.
func (r *ownReplica) open(ctx context.Context) (fsm.Health, error) {
	r.renewal.check()
	health, err := r.opener.OpenOwn(ctx, store.Reader{Store: r.records})
	if err == nil {
		r.logged = ""
		return health, nil
	}
	if text := err.Error(); text != r.logged && ctx.Err() == nil {
		r.logged = text
		r.log.Info("our own replica is not unsealed", "reason", text, "remedy", fault.RemedyOf(err))
	}
	return health, err
}

// keep keeps the replica unsealed until ctx ends.
func (r *ownReplica) keep(ctx context.Context, every time.Duration) {
	hurried := pace.Hurry{Usual: every}
	for {
		health, _ := r.open(ctx) // the error is logged
		if !pace.Pause(ctx, hurried.Next(time.Now(), health == fsm.NoAnswer)) {
			return
		}
	}
}
