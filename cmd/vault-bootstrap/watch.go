package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
)

func (p *program) watchCommand() *cobra.Command {
	options := &watchOptions{}
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
			options.sealSaid = cmd.Flags().Changed("respect-seal")
			return p.watch(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

type watchOptions struct {
	run                      job.RunOptions
	interval, healthInterval time.Duration
	own, listen              string
	pprof, sealSaid          bool
}

func (o *watchOptions) register(flags *pflag.FlagSet) {
	registerRun(flags, &o.run)
	flags.DurationVar(&o.interval, "interval", time.Minute, "how often to look for drift, give or take a fifth")
	flags.DurationVar(&o.healthInterval, "health-interval", time.Second, "how often to ask the replicas for their health, and to look for a changed seed")
	flags.StringVar(&o.own, "own-replica", "", "URL of the replica that this process stands beside, to be unsealed also while another watch leads")
	flags.StringVar(&o.listen, "listen", "", "address to serve /healthz, /readyz and /metrics on, as in :8080 (default: none)")
	flags.BoolVar(&o.pprof, "pprof", false, "with --listen: serve Go's profiles below /debug/pprof/, to everybody who can reach it")
	flags.Lookup("respect-seal").Usage = "leave a replica sealed that somebody has sealed: one that was open before, and whose pod was not restarted since (Kubernetes only; there it is the default)"
	flags.Lookup("timeout").Usage = "how long one walk to the goal may take"
}

func (o *watchOptions) check(env job.Lookup) error {
	switch {
	case o.interval <= 0 || o.healthInterval <= 0:
		return fault.Misuse(errors.New("--interval and --health-interval must be positive"), "Write them as 1m and 1s.")
	case o.pprof && o.listen == "":
		return fault.Misuse(errors.New("--pprof without --listen: nothing is served"), "Give --listen as well.")
	}
	if o.sealSaid {
		return nil
	}
	kind, _, err := o.run.Store.Resolve(env)
	o.run.Loss.RespectSeal = kind == job.KubernetesStore
	return err
}

// watch runs until it is told to end, which is no error.
func (p *program) watch(ctx context.Context, options *watchOptions) error {
	w, err := p.prepareWatch(ctx, options)
	if err != nil {
		return p.refuse(&options.run, err)
	}
	stop, err := w.serve(ctx)
	if err == nil {
		err = w.run(ctx)
		stop()
	}
	if failed := report.WriteTermination(options.run.Spool.Termination, w.lastWords(err)); failed != nil {
		w.report.Log().Warn("the termination message does not say how this ended", "error", failed.Error())
	}
	w.report.Close(err != nil)
	if err != nil {
		p.told = report.LogFailure(w.lines, err)
		return err
	}
	w.report.Log().Info("ended")
	return nil
}

func (p *program) prepareWatch(ctx context.Context, options *watchOptions) (*watcher, error) {
	if err := options.check(p.env); err != nil {
		return nil, err
	}
	counted := metrics.New(version, names(fsm.States()), eventNames())
	options.run.Store.Wrap = counted.Wrapper(metrics.Kubernetes)
	options.run.Vault.Wrap = counted.Wrapper(metrics.Vault)
	prepared, err := job.Prepare(ctx, p.env, "watch", &options.run)
	if err != nil {
		return nil, err
	}
	walked := walk.New(prepared)
	walked.KeepsLogin = true
	// At the goal it goes on looking anyway: nobody has to be waited for.
	options.run.Patience = 0
	prepared.Bootstrap.Dialer = countingDialer{prepared.Bootstrap.Dialer, counted}
	lines := report.NewLines(p.stderr, prepared.Level)
	w := &watcher{
		job: prepared, walk: walked, options: options, metrics: counted, lines: lines,
		seed: fingerprint(options.run.Seed),
		pace: pace.Backoff{Longest: longestPause},
	}
	w.report = walked.WithEvents(report.WithMetrics(lines, counted))
	prepared.Bootstrap.Log = w.report.Log()
	if options.own != "" {
		if w.own, err = p.ownReplica(options.own, &options.run.Vault, prepared.Store, w.report.Log()); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func names(states []fsm.State) []string {
	list := make([]string, 0, len(states))
	for _, state := range states {
		list = append(list, string(state))
	}
	return list
}

func eventNames() []string {
	var list []string
	for _, edge := range fsm.Table() {
		list = append(list, string(edge.Event))
	}
	return list
}

// lastWords say, in the termination message, how a watch has ended.
func (w *watcher) lastWords(failure error) string {
	if failure != nil {
		return report.Ending(w.walk.Outcome, failure)
	}
	text := "The watch was told to end."
	if w.trouble != nil {
		text += fmt.Sprintf(" It was waiting: %v\n%s", w.trouble, fault.RemedyOf(w.trouble))
	}
	return text + "\n"
}
