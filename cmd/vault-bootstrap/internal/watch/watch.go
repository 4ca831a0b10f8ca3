// Package watch keeps a Vault at its goal: it looks again and again, walks when there is something
// to do, stands by while another watch leads, and unseals the replica that its process runs beside.
// The postStart hook of such a replica is here, too, since it unseals it in the same way.
//
// It knows no flags and no signals: it ends with its context.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
)

// Options say what a watch does beyond a run.
type Options struct {
	Run                      job.RunOptions
	Interval, HealthInterval time.Duration
	OwnReplica, Listen       string
	Pprof, SealGiven         bool
}

func (o *Options) check(env job.Lookup) error {
	switch {
	case o.Interval <= 0 || o.HealthInterval <= 0:
		return fault.Misuse(errors.New("--interval and --health-interval must be positive"), "Write them as 1m and 1s.")
	case o.Pprof && o.Listen == "":
		return fault.Misuse(errors.New("--pprof without --listen: nothing is served"), "Give --listen as well.")
	}
	if o.OwnReplica != "" && o.Run.Store.Keyless() {
		return fault.Misuse(errors.New("--own-replica and --keys=none exclude each other: there are no keys to unseal it with"), "Give one or the other.")
	}
	if o.SealGiven || o.Run.Store.Keyless() {
		return nil
	}
	kind, _, err := o.Run.Store.Resolve(env)
	o.Run.Loss.RespectSeal = kind == job.KubernetesStore
	return err
}

// Prepare returns a Watcher with the options. It logs lines to stderr; version is ours, for the
// metrics.
func Prepare(ctx context.Context, env job.Lookup, version string, stderr io.Writer, options *Options) (*Watcher, error) {
	if err := options.check(env); err != nil {
		return nil, err
	}
	counted := metrics.New(version, countedNames(options.Run.Store.Name, options.Run.Until))
	options.Run.Store.Wrap = counted.Wrapper(metrics.Kubernetes)
	options.Run.Vault.Wrap = counted.Wrapper(metrics.Vault)
	prepared, err := job.Prepare(ctx, env, "watch", &options.Run)
	if err != nil {
		return nil, err
	}
	walked := walk.New(prepared)
	walked.Repeats = true
	walked.KeepsLogin = true
	// It keeps looking at the goal anyway, so it need not wait for replicas that are down.
	options.Run.Patience = 0
	prepared.Bootstrap.Access().Dialer = countingDialer{prepared.Bootstrap.Access().Dialer, counted}
	lines := report.NewLines(stderr, prepared.Level)
	w := &Watcher{
		job: prepared, walk: walked, options: options, metrics: counted, lines: lines,
		seed: fingerprint(options.Run.Seed),
		past: attempts{pace: pace.Backoff{Longest: longestPause}},
	}
	w.report = walked.WithEvents(report.WithMetrics(lines, counted))
	prepared.Bootstrap.LogTo(w.report.Log())
	w.renewal = newRenewal(prepared.Files, prepared.Renew, w.report.Log())
	if options.OwnReplica != "" {
		if w.own, err = newOwnReplica(env, options.OwnReplica, &options.Run.Vault, prepared.Store, w.report.Log()); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Run watches until ctx ends, which is not an error. It reports its failure itself.
func (w *Watcher) Run(ctx context.Context) error {
	stop, err := w.serve(ctx)
	if err == nil {
		err = w.watch(ctx)
		stop()
	}
	if failed := report.WriteTermination(w.options.Run.Spool.Termination, w.terminationMessage(err)); failed != nil {
		w.report.Log().Warn("the termination message does not say how this ended", "error", failed.Error())
	}
	w.report.Close(err != nil)
	if err != nil {
		report.LogFailure(w.lines, err)
		return err
	}
	w.report.Log().Info("ended")
	return nil
}

// terminationMessage says how a watch has ended.
func (w *Watcher) terminationMessage(failure error) string {
	if failure != nil {
		return report.Ending(w.walk.Outcome, w.walk.Changes, failure)
	}
	text := "The watch was asked to end."
	if w.past.trouble != nil {
		text += fmt.Sprintf(" It was waiting: %v\n%s", w.past.trouble, fault.RemedyOf(w.past.trouble))
	}
	return text + "\n"
}
