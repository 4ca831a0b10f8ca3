package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// watcher keeps a Vault at the goal. Its turns come one after another in one
// goroutine; only the own replica is looked after beside them.
type watcher struct {
	job     *job
	options *watchOptions
	metrics *metrics.Metrics
	lines   *lineReporter
	report  reporter
	own     *ownReplica // nil if there is none
	// reload reads the seed anew. One that is wrong changes nothing.
	reload func() error
	seed   string // its fingerprint
	reader store.Reader
	ready  readiness

	pace    pace          // the waits after failures
	trouble error         // what the latest turn failed with
	seen    []fsm.Replica // by the latest turn
}

// longestPause is how long a failure is waited out at most before the next look, if
// nothing changes.
const longestPause = 30 * time.Second

// run takes the lead, and takes turns until ctx ends. Without the lead it waits for it.
func (w *watcher) run(ctx context.Context) error {
	for _, risk := range w.job.risks {
		w.report.Log().Warn(risk)
	}
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		if w.own != nil {
			w.own.keep(ctx, w.options.healthInterval)
		}
	}()
	err := w.leadAgain(ctx)
	<-beside
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// leadAgain ends with ctx, or when the store refuses us for good.
func (w *watcher) leadAgain(ctx context.Context) error {
	pause := pace{longest: longestPause}
	began := time.Now()
	for ctx.Err() == nil {
		led, err := w.lead(ctx)
		if led {
			pause.reset()
			continue
		}
		settled := time.Since(began) > settleTime
		if err != nil && settled && (store.Denied(err) || fault.KindOf(err) == fault.Usage) {
			return fault.Misuse(err, fault.RemedyOf(err))
		}
		if err != nil && ctx.Err() == nil {
			w.report.Waiting(err, 1)
		}
		if !pause.pause(ctx) {
			break
		}
	}
	return nil
}

// lead waits for the lead and takes turns while we have it.
func (w *watcher) lead(ctx context.Context) (bool, error) {
	w.metrics.Lead(false)
	if err := w.job.store.Preflight(ctx); err != nil {
		return false, err
	}
	w.ready.set()
	options := w.job.lease(w.report)
	options.Waiting = func(holder string) { w.report.Log().Info("another watch leads, standing by", "leader", holder) }
	held, err := store.Lead(ctx, w.job.store, options)
	if err != nil {
		return false, err
	}
	defer func() { _ = briefly(context.WithoutCancel(ctx), held.Release) }()
	w.report.Log().Info("leading")
	w.metrics.Lead(true)
	w.turns(held.Context())
	w.metrics.Lead(false)
	w.job.bootstrap.Close(context.WithoutCancel(ctx)) // the login's token
	return true, nil
}

// turns takes turns until ctx ends.
func (w *watcher) turns(ctx context.Context) {
	changes := w.follow(ctx)
	w.trouble, w.seen = nil, nil
	w.pace.reset()
	for ctx.Err() == nil {
		pause := w.turn(ctx)
		if w.wait(ctx, pause, changes) {
			w.pace.reset() // what failed may not fail any more
		}
	}
}

// purposePause is how long to wait for the next look while a replica counts as sealed
// on purpose. That its server was restarted shows only when the kubelet has told so,
// which may be after the server has answered.
const purposePause = 5 * time.Second

// turn is one look, and one walk to the goal if there is something to do. It returns
// how long to wait for the next one if nothing changes.
func (w *watcher) turn(ctx context.Context) time.Duration {
	pause := w.takeTurn(ctx)
	if slices.ContainsFunc(w.seen, func(r fsm.Replica) bool { return r.OnPurpose }) {
		return min(pause, purposePause)
	}
	return pause
}

func (w *watcher) takeTurn(ctx context.Context) time.Duration {
	seedErr := w.reload()
	result, err := w.attend(ctx)
	if err == nil {
		err = seedErr // the seed that was valid last is what was attended to
	}
	if ctx.Err() != nil {
		return 0
	}
	w.metrics.Round(w.judge(result, err))
	switch {
	case err != nil:
		return w.pace.next()
	case result == acted:
		return w.options.healthInterval // to see that it holds
	default:
		w.pace.reset()
		return spread(w.options.interval)
	}
}

// The results of a turn.
const (
	idle    = "idle"
	acted   = "acted"
	waiting = "waiting"
)

// attend looks, and acts if there is something to do.
func (w *watcher) attend(ctx context.Context) (string, error) {
	sight, settled, err := w.look(ctx)
	if replicas := sight.Observation.Replicas; replicas != nil {
		w.seen = replicas
	}
	switch {
	case errors.Is(err, store.ErrReadOnly):
		// Something is to be recorded, which needs the Lease.
	case err == nil && sight.Idle && settled:
		w.metrics.Succeeded(time.Now())
		return idle, nil
	case err == nil, sight.Ready && !w.known(err):
	default:
		return waiting, err
	}
	return acted, w.walk(ctx)
}

// known reports whether err is the trouble of the turn before: it is recorded, and
// nothing has changed about it.
func (w *watcher) known(err error) bool {
	return w.trouble != nil && fault.KindOf(err) == fault.Terminal && w.trouble.Error() == err.Error()
}

// look looks without the Lease. settled is whether there is no failure on record that
// is over.
func (w *watcher) look(ctx context.Context) (sight fsm.Sight, settled bool, err error) {
	w.job.guard(always)
	w.job.bootstrap.Records, w.job.bootstrap.Mends = w.reader, false // only who holds the Lease ends what others left
	checkpoint, err := w.reader.Checkpoint(ctx)
	if err != nil {
		return fsm.Sight{}, false, err
	}
	sight, err = w.job.driver(w.report, checkpoint).Look(ctx)
	w.metrics.Plan(w.job.bootstrap.Planned())
	w.count(sight.Observation.Replicas)
	if err == nil {
		err = w.leftOpen(ctx)
	}
	return sight, checkpoint.LastError == nil, err
}

// leftOpen fails with store.ErrReadOnly while a break-glass is on record. If it was
// killed, its root token lives until somebody with the Lease ends it: without this, a
// watch that has nothing else to do would never be that somebody. If it is under way it
// has the Lease, and is waited for.
func (w *watcher) leftOpen(ctx context.Context) error {
	keys, err := w.reader.Keys(ctx)
	if err != nil {
		return fmt.Errorf("looking for what a break-glass has left: %w", err)
	}
	if keys.Glass != nil {
		return fmt.Errorf("a break-glass of %s is on record: %w", keys.Glass.Holder, store.ErrReadOnly)
	}
	return nil
}

// judge tells what a turn has come to, once for each trouble, and names it for the
// metrics.
func (w *watcher) judge(result string, err error) string {
	before := w.trouble
	w.trouble = err
	if err == nil {
		w.metrics.Recovered()
		if before != nil {
			w.report.Log().Info("what was the matter is over", "was", before.Error())
		}
		return result
	}
	if name := nameOf(err); name != "" {
		w.metrics.Terminal(name)
	}
	if kind := fault.KindOf(err); kind == fault.Transient || kind == fault.Partial {
		result = waiting
	} else {
		result = kind.String()
	}
	if before != nil && before.Error() == err.Error() {
		return result
	}
	if result == waiting {
		w.report.Waiting(err, 1)
		return result
	}
	tell(w.lines, err)
	tellEvent(w.report, err)
	return result
}
