package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// postStart is the verb whose exit code is always 0.
const postStart = "post-start"

func (p *program) postStartCommand() *cobra.Command {
	options := &postStartOptions{}
	cmd := &cobra.Command{
		Use:   postStart,
		Short: "Unseal the replica beside us, as a postStart hook of Vault's container",
		Long: "post-start waits for the Vault server in the same pod to listen, unseals it with the\n" +
			"stored keys, and ends. Where no keys are stored yet it ends at once, since the run that\n" +
			"stores them also unseals. It looks at no other replica, writes nothing, and needs 'get'\n" +
			"on the keys record only.\n\n" +
			"It ends in time, and always with exit code 0, also when it was called wrongly: the\n" +
			"kubelet kills a container whose hook fails. What went wrong is on standard error.",
		Example: "  /vault-bootstrap/vault-bootstrap post-start --vault-addr=http://127.0.0.1:8200 --timeout=60s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.postStart(cmd.Context(), options)
			return nil
		},
	}
	options.register(cmd.Flags())
	return cmd
}

type postStartOptions struct {
	store   job.StoreOptions
	vault   job.VaultOptions
	timeout time.Duration
}

func (o *postStartOptions) register(flags *pflag.FlagSet) {
	registerStore(flags, &o.store)
	registerVault(flags, &o.vault)
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long to try: Vault's pod is not ready before the hook ends")
}

// eachTry is how often post-start looks.
const eachTry = 500 * time.Millisecond

// postStart tells its errors, and returns none.
func (p *program) postStart(ctx context.Context, options *postStartOptions) {
	log := p.logger()
	if err := p.openBeside(ctx, options); err != nil {
		log.Warn("not unsealed by this hook", "error", err.Error(), "remedy", fault.RemedyOf(err))
		return
	}
	log.Info("our own replica is open")
}

func (p *program) openBeside(ctx context.Context, options *postStartOptions) error {
	config, err := options.vault.Config(p.env)
	if err != nil {
		return err
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	own, err := p.ownReplica(config.Addresses[0], &options.vault, records, p.logger())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, max(options.timeout, eachTry))
	defer cancel()
	hurried := pace.Hurry{Usual: eachTry}
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
