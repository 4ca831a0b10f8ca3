package watch

import (
	"context"
	"errors"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// Watcher keeps a Vault at the goal. Its turns come one after another in one goroutine; only its
// own replica is kept unsealed in another one.
type Watcher struct {
	job     *job.Job
	walk    *walk.Walk
	options *Options
	metrics *metrics.Metrics
	lines   *report.Lines
	report  report.Reporter
	own     *ownReplica // nil if there is none
	seed    string      // the fingerprint of the seed's files
	renewal *renewal
	ready   readiness

	past    attempts
	seen    []fsm.Replica    // in the latest turn
	session *fencing.Session // of the latest walk; nil before the first
}

// attempts are the results of the turns so far, which pace the next ones.
type attempts struct {
	pace    pace.Backoff // the waits after looks that failed
	rest    pace.Rest    // the waits between walks
	failure error        // what the latest walk failed with
	trouble error        // what the latest turn failed with
	denial  job.Denial   // of the looks
	repeats int          // how many turns before that one failed in the same way
}

// longestPause is the longest wait after a failure before the next look, if nothing changes.
const longestPause = 30 * time.Second

// watch waits for the lead, and takes turns until ctx ends.
func (w *Watcher) watch(ctx context.Context) error {
	for _, risk := range w.job.Risks {
		w.report.Log().Warn(risk)
	}
	w.job.WarnOfGrace(ctx, w.report.Log())
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		if w.own != nil {
			w.own.keep(ctx, w.options.HealthInterval)
		}
	}()
	err := w.keepLeading(ctx)
	<-beside
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// keepLeading returns when ctx ends, or when the store refuses us permanently.
func (w *Watcher) keepLeading(ctx context.Context) error {
	pause := pace.Backoff{Longest: longestPause}
	began := time.Now()
	for ctx.Err() == nil {
		led, err := w.lead(ctx)
		if led {
			pause.Reset()
			continue
		}
		settled := time.Since(began) > job.SettleTime
		if err != nil && settled && (kubestore.Denied(err) || fault.KindOf(err) == fault.Usage) {
			return fault.Misuse(err, fault.RemedyOf(err))
		}
		if err != nil && ctx.Err() == nil {
			w.report.Waiting(err, 1)
		}
		// Records that cannot be reached are no reason not to know how the replicas are.
		standing, over := context.WithTimeout(ctx, soon(err, pause.Next()))
		w.standBy(standing)
		over()
	}
	return nil
}

// lead waits for the lead and takes turns while we have it.
func (w *Watcher) lead(ctx context.Context) (bool, error) {
	w.metrics.Lead(false)
	// Records that can be read but not written do not keep it from unsealing.
	if err := w.job.Store.Preflight(ctx); err != nil && !errors.Is(err, store.ErrImmutable) {
		return false, err
	}
	if err := w.job.Options.Store.RefuseKeys(ctx, w.job.Store); err != nil {
		return false, err
	}
	job.WarnOfConcerns(ctx, w.report.Log(), w.job.Store)
	w.ready.set()
	options := w.walk.LeaseOptions(w.report)
	options.Waiting = func(holder string) { w.report.Log().Info("another watch leads, standing by", "leader", holder) }
	held, err := w.leadOrStandBy(ctx, options)
	if err != nil {
		return false, err
	}
	defer func() { _ = walk.Briefly(context.WithoutCancel(ctx), held.Release) }()
	w.report.Log().Info("leading")
	w.metrics.Lead(true)
	w.turns(held.Context())
	w.metrics.Lead(false)
	w.job.Bootstrap.Close(context.WithoutCancel(ctx)) // the login's token
	return true, nil
}

// leadOrStandBy waits for the lead, and meanwhile does what does not need it.
func (w *Watcher) leadOrStandBy(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	defer w.standingBy(ctx)()
	return w.job.Store.Lead(ctx, options)
}

// standingBy stands by until its result is called.
func (w *Watcher) standingBy(ctx context.Context) (end func()) {
	standing, stand := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.standBy(standing)
	}()
	return func() {
		stand()
		<-ended // what follows must not share the bootstrap
	}
}
