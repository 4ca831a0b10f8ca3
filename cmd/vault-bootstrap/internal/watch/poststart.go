package watch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// PostStartOptions say which replica is ours, and how long to try.
type PostStartOptions struct {
	Store   job.StoreOptions
	Vault   job.VaultOptions
	Timeout time.Duration
}

// tryInterval is how often post-start checks the replica.
const tryInterval = 500 * time.Millisecond

// OpenBeside unseals the replica that we run beside, as soon as it listens. It returns nil once the
// replica is unsealed.
func OpenBeside(ctx context.Context, env job.Lookup, options *PostStartOptions, log *slog.Logger) error {
	if err := options.Store.NeedsKeys("post-start"); err != nil {
		return err
	}
	config, err := options.Vault.Config(env)
	if err != nil {
		return err
	}
	records, _, err := options.Store.Open(env)
	if err != nil {
		return err
	}
	own, err := newOwnReplica(env, config.Addresses[0], &options.Vault, records, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, max(options.Timeout, tryInterval))
	defer cancel()
	hurried := pace.Hurry{Usual: tryInterval}
	for {
		health, err := own.open(ctx)
		if err == nil || errors.Is(err, states.ErrNoKeys) || fault.KindOf(err) == fault.Usage {
			return err
		}
		if !pace.Pause(ctx, hurried.Next(time.Now(), health == fsm.NoAnswer)) {
			return err
		}
	}
}
