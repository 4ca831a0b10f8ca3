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
		Short: "Keep Vault hardened: unseal what restarts, repair drift, apply a changed seed",
		Long: "watch does what run does, and keeps going. It checks Vault without the Lease and without\n" +
			"writing anything; only when there is something to do does it take the Lease, do it, and\n" +
			"give the Lease back. It does not hold up a run that is started beside it. Of several\n" +
			"watches one leads.\n\n" +
			"With --own-replica it is a sidecar of Vault: even while another watch leads, it unseals\n" +
			"the replica that it runs beside.\n\n" +
			"Errors that need an operator do not end it: it reports them, and checks again when\n" +
			"something changes.",
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
	flags.DurationVar(&o.Interval, "interval", time.Minute, "how often to check for drift, give or take a fifth")
	flags.DurationVar(&o.HealthInterval, "health-interval", time.Second, "how often to ask the replicas for their health, and to check for a changed seed")
	flags.StringVar(&o.OwnReplica, "own-replica", "", "URL of the replica that this process runs beside, to be unsealed even while another watch leads")
	flags.StringVar(&o.Listen, "listen", "", "address to serve /healthz, /readyz and /metrics on, as in :8080 (default: none)")
	flags.BoolVar(&o.Pprof, "pprof", false, "with --listen: serve Go's profiles under /debug/pprof/, to anybody who can reach it")
	flags.Lookup("respect-seal").Usage = "leave a replica sealed that somebody has sealed: one that was open before, and whose pod was not restarted since (Kubernetes only; there it is the default)"
	flags.Lookup("timeout").Usage = "how long one walk to the goal may take"
}

// watch runs until a signal ends it, which is not an error.
func (p *program) watch(ctx context.Context, options *watch.Options) error {
	w, err := watch.Prepare(ctx, p.env, version, p.stderr, options)
	if err != nil {
		return p.refuse(&options.Run, err)
	}
	err = w.Run(ctx)
	p.reported = err != nil
	return err
}
