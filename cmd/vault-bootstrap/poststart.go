package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/watch"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// postStart is the verb whose exit code is always 0.
const postStart = "post-start"

func (p *program) postStartCommand() *cobra.Command {
	options := &watch.PostStartOptions{}
	cmd := &cobra.Command{
		Use:   postStart,
		Short: "Unseal the replica beside us, as a postStart hook of Vault's container",
		Long: "post-start waits for the Vault server in the same pod to listen, unseals it with the\n" +
			"stored keys, and ends. If no keys are stored yet it ends at once, since the run that\n" +
			"stores them also unseals. It asks no other replica, writes nothing, and needs only 'get'\n" +
			"on the keys record.\n\n" +
			"It ends in time, and always with exit code 0, even if it was called wrongly: the kubelet\n" +
			"kills a container whose hook fails. Errors are on standard error.",
		Example: "  /vault-bootstrap/vault-bootstrap post-start --vault-addr=http://127.0.0.1:8200 --timeout=60s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.postStart(cmd.Context(), options)
			return nil
		},
	}
	registerPostStart(cmd.Flags(), options)
	return cmd
}

func registerPostStart(flags *pflag.FlagSet, o *watch.PostStartOptions) {
	registerStore(flags, &o.Store)
	registerVault(flags, &o.Vault)
	flags.DurationVar(&o.Timeout, "timeout", time.Minute, "how long to try: Vault's pod is not ready before the hook ends")
}

// postStart logs its error instead of returning it.
func (p *program) postStart(ctx context.Context, options *watch.PostStartOptions) {
	log := p.logger()
	if err := watch.OpenBeside(ctx, p.env, options, log); err != nil {
		log.Warn("not unsealed by this hook", "error", err.Error(), "remedy", fault.RemedyOf(err))
		return
	}
	log.Info("our own replica is unsealed")
}
