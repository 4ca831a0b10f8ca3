package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// watcher keeps a Vault at the goal. Its turns come one after another in one
// goroutine; only the own replica is looked after beside them.
type watcher struct {
	job     *job.Job
	walk    *walk.Walk
	options *watchOptions
	metrics *metrics.Metrics
	lines   *report.Lines
	report  report.Reporter
	own     *ownReplica // nil if there is none
	seed    string      // the fingerprint of its files
	ready   readiness

	pace    pace.Backoff  // the waits after looks that failed
	rest    pace.Rest     // the waits between walks
	failure error         // what the latest walk failed with
	trouble error         // what the latest turn failed with
	repeats int           // how many turns before it failed with the same
	seen    []fsm.Replica // by the latest turn

	session *store.Session // of the latest walk; nil before the first
}

// longestPause is how long a failure is waited out at most before the next look, if
// nothing changes.
const longestPause = 30 * time.Second

// run takes the lead, and takes turns until ctx ends. Without the lead it waits for it.
func (w *watcher) run(ctx context.Context) error {
	for _, risk := range w.job.Risks {
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
	pause := pace.Backoff{Longest: longestPause}
	began := time.Now()
	for ctx.Err() == nil {
		led, err := w.lead(ctx)
		if led {
			pause.Reset()
			continue
		}
		settled := time.Since(began) > job.SettleTime
		if err != nil && settled && (store.Denied(err) || fault.KindOf(err) == fault.Usage) {
			return fault.Misuse(err, fault.RemedyOf(err))
		}
		if err != nil && ctx.Err() == nil {
			w.report.Waiting(err, 1)
		}
		if !pause.Pause(ctx) {
			break
		}
	}
	return nil
}

// lead waits for the lead and takes turns while we have it.
func (w *watcher) lead(ctx context.Context) (bool, error) {
	w.metrics.Lead(false)
	// What can be read and not written does not keep it from unsealing.
	if err := w.job.Store.Preflight(ctx); err != nil && !errors.Is(err, store.ErrImmutable) {
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

// leadOrStandBy waits for the lead, and helps meanwhile with what needs none.
func (w *watcher) leadOrStandBy(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	standing, stand := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.standBy(standing)
	}()
	defer func() {
		stand()
		<-ended // the turns are alone with the bootstrap
	}()
	return store.Lead(ctx, w.job.Store, options)
}

// turns takes turns until ctx ends.
func (w *watcher) turns(ctx context.Context) {
	changes := w.follow(ctx)
	w.trouble, w.failure, w.seen = nil, nil, nil
	w.pace.Reset()
	w.rest.Over()
	for ctx.Err() == nil {
		pause := w.turn(ctx)
		if w.wait(ctx, pause, changes) { // what failed may not fail any more
			w.pace.Reset()
			w.rest.Over()
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
	seedErr := w.job.Reload(ctx)
	turn := w.attend(ctx)
	if turn.err == nil {
		turn.err = seedErr // the seed that was valid last is what was attended to
	}
	if ctx.Err() != nil {
		return 0
	}
	w.metrics.Round(w.judge(turn.result, turn.err))
	switch {
	case turn.result == acted || turn.rest > 0:
		// After a walk that succeeded, to see that it holds; after one that did not, when the
		// next one is due, and to see meanwhile what has changed inside.
		return min(max(turn.rest, w.options.healthInterval), pace.Spread(w.options.interval))
	case turn.err != nil:
		return w.pace.Next()
	default:
		w.pace.Reset()
		return pace.Spread(w.options.interval)
	}
}

// The results of a turn.
const (
	idle    = "idle"
	acted   = "acted"
	waiting = "waiting"
)

// turn is what a turn has come to.
type turn struct {
	result string
	err    error
	// rest is how long to wait until the next walk; 0 if none is to come.
	rest time.Duration
}

// attend looks, and walks if there is something to do.
func (w *watcher) attend(ctx context.Context) turn {
	look, verdict, settled, err := w.look(ctx)
	if look != nil {
		w.seen = look.Replicas
	}
	switch {
	case err == nil && verdict.Idle && settled:
		w.rest.Over()
		w.failure = nil
		w.metrics.Succeeded(time.Now())
		return turn{result: idle}
	case err != nil && (!verdict.Ready || w.known(err)):
		return turn{result: waiting, err: err}
	}
	// Keys that are spooled and could not be stored in one walk's time are tried on, as often.
	urgent := verdict.Urgent && (fault.KindOf(w.failure) == fault.Transient || look.Keys == fsm.SpooledAnswer)
	if left := w.rest.Left(time.Now(), urgent); left > 0 {
		if err == nil {
			err = w.failure
		}
		return turn{waiting, err, left}
	}
	w.failure = w.act(ctx)
	if seen := w.walk.Seen; seen != nil { // a replica that is sealed again was restarted meanwhile
		w.seen = seen.Replicas
	}
	if fault.KindOf(w.failure) == fault.Busy {
		return turn{result: waiting, err: w.failure} // somebody else does the work
	}
	w.rest.Walk(time.Now(), w.failure != nil)
	return turn{acted, w.failure, w.rest.Left(time.Now(), urgent)}
}

// known reports whether err is the trouble of the turn before: it is recorded, and
// nothing has changed about it.
func (w *watcher) known(err error) bool {
	return w.trouble != nil && fault.KindOf(err) == fault.Terminal && sameTrouble(w.trouble, err)
}

// look looks without the Lease. settled is whether there is no failure on record that
// is over.
func (w *watcher) look(ctx context.Context) (look *states.Look, verdict fsm.Verdict, settled bool, err error) {
	w.job.Guard(walk.Always)
	look, verdict, err = w.walk.Driver(w.report).Judge(ctx)
	if look != nil {
		w.metrics.Plan(look.Planned())
		w.count(look.Replicas)
		settled = look.Checkpoint.LastError == nil
	}
	return look, verdict, settled, err
}

// judge reports what a turn has come to, once for each trouble, and names it for the
// metrics.
func (w *watcher) judge(result string, err error) string {
	before := w.trouble
	w.trouble = err
	if err == nil {
		w.metrics.Recovered()
		if before != nil {
			w.report.Log().Info("recovered", "from", before.Error(), "failed_looks", w.repeats+1)
		}
		w.repeats = 0
		return result
	}
	if name := report.FailureName(err); name != "" {
		w.metrics.Terminal(name)
	}
	if kind := fault.KindOf(err); kind == fault.Transient || kind == fault.Partial {
		result = waiting
	} else {
		result = kind.String()
	}
	if sameTrouble(before, err) {
		w.repeats++
		return result
	}
	w.repeats = 0
	if result == waiting {
		w.report.Waiting(err, 1)
		return result
	}
	report.LogFailure(w.lines, err)
	report.SendFailure(w.report, err)
	return result
}

// sameTrouble reports whether two failures are the same to a reader: numbers in them, such
// as times, attempts and ports, may differ.
func sameTrouble(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return fault.KindOf(a) == fault.KindOf(b) && fault.NameOf(a) == fault.NameOf(b) && withoutNumbers(a.Error()) == withoutNumbers(b.Error())
}

func withoutNumbers(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}
