package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/watch"
)

func (p *program) watchCommand() *cobra.Command {
	options := &watch.Options{}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Keep Vault hardened: unseal what restarts, put drift right, apply a changed seed",
		Long: "watch does what run does, and goes on. It looks at Vault without the Lease and without\n" +
			"writing anything; only when there is something to do does it take the Lease, do it, and\n" +
			"give the Lease back. A run that is started beside it is not held up. Of several watches\n" +
			"one leads.\n\n" +
			"With --own-replica it is a sidecar of Vault: also while another one leads, it unseals the\n" +
			"replica that it stands beside.\n\n" +
			"What needs a person does not end it: it says so, and looks again when something changes.",
		Example: "  vault-bootstrap watch --namespace=vault --vault-service=vault-internal --replicas=3 --seed=/seed --listen=:8080",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.SealGiven = cmd.Flags().Changed("respect-seal")
			return p.watch(cmd.Context(), options)
		},
	}
	registerWatch(cmd.Flags(), options)
	return cmd
}

func registerWatch(flags *pflag.FlagSet, o *watch.Options) {
	registerRun(flags, &o.Run)
	flags.DurationVar(&o.Interval, "interval", time.Minute, "how often to look for drift, give or take a fifth")
	flags.DurationVar(&o.HealthInterval, "health-interval", time.Second, "how often to ask the replicas for their health, and to look for a changed seed")
	flags.StringVar(&o.OwnReplica, "own-replica", "", "URL of the replica that this process stands beside, to be unsealed also while another watch leads")
	flags.StringVar(&o.Listen, "listen", "", "address to serve /healthz, /readyz and /metrics on, as in :8080 (default: none)")
	flags.BoolVar(&o.Pprof, "pprof", false, "with --listen: serve Go's profiles below /debug/pprof/, to everybody who can reach it")
	flags.Lookup("respect-seal").Usage = "leave a replica sealed that somebody has sealed: one that was open before, and whose pod was not restarted since (Kubernetes only; there it is the default)"
	flags.Lookup("timeout").Usage = "how long one walk to the goal may take"
}

// watch runs until a signal ends it, which is no error.
func (p *program) watch(ctx context.Context, options *watch.Options) error {
	w, err := watch.Prepare(ctx, p.env, version, p.stderr, options)
	if err != nil {
		return p.refuse(&options.Run, err)
	}
	err = w.Run(ctx)
	p.reported = err != nil
	return err
}
