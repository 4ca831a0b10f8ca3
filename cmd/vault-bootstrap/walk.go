package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// The waits between cycles: short at first, since Vault is usually up in a moment.
const (
	firstWait  = 100 * time.Millisecond
	longWait   = 5 * time.Second
	waitJitter = 20 // percent
	// closeTime is for each thing that is left to do when the run is over or was cut off.
	closeTime = 5 * time.Second
	// mostWaits is after how many cycles without progress a walk gives way: with the
	// waits between cycles, about 6 s.
	mostWaits = 7
	// settleTime is how long a refusal of the store may be that of a server which has
	// just started, or has not seen a new rule yet.
	settleTime = 5 * time.Second
)

// errGaveWay means that a walk gave the Lease back because it only waited: others may
// have something to do.
var errGaveWay = errors.New("giving way")

// walk takes a job to its goal.
type walk struct {
	job *job.Job
	// offer holds the keys to adopt before walking; nil if there are none.
	offer *shares.Material
	// emergency is why this walk is made as root; nil for the others.
	emergency *states.Emergency
	// keepsLogin is whether more is to come after the walk.
	keepsLogin bool

	outcome fsm.Outcome
	// seen is the latest look; nil before the first.
	seen *states.Look
}

// newWalk returns a walk of a job.
func newWalk(j *job.Job) *walk { return &walk{job: j} }

// run takes the Lease and walks to the goal.
func (w *walk) run(ctx context.Context, reporter report.Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, w.job.Options.Timeout)
	defer cancel()
	w.job.Bootstrap.Log = reporter.Log()
	for _, risk := range w.job.Risks {
		reporter.Log().Warn(risk)
	}
	leased, hold, release := waitThenHold(ctx)
	defer release()
	session, err := w.begin(ctx, leased, reporter)
	switch {
	case errors.Is(err, store.ErrImmutable):
		return w.withoutWriting(ctx, reporter, err)
	case err != nil:
		return err
	}
	hold()
	return w.act(ctx, reporter, session)
}

// act walks to the goal with the Lease held, and gives it back.
func (w *walk) act(ctx context.Context, reporter report.Reporter, session *store.Session) error {
	w.job.Guard(session.Alive)
	w.job.Bootstrap.Hold(session)
	defer w.job.Bootstrap.LetGo()
	working, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	context.AfterFunc(session.Context(), func() { lose(context.Cause(session.Context())) })
	err := orLost(session.Context(), w.drive(working, reporter))
	return errors.Join(err, w.close(ctx, session, err))
}

// orLost gives a failure its true cause where that is the loss of the Lease: whatever
// was under way then was merely cut off.
func orLost(leased context.Context, err error) error {
	lost := context.Cause(leased)
	if err == nil || !errors.Is(lost, store.ErrLeaseLost) || fault.KindOf(err) != fault.Transient {
		return err
	}
	return fmt.Errorf("%w (last: %w)", lost, err)
}

func (w *walk) drive(ctx context.Context, reporter report.Reporter) error {
	if w.offer != nil {
		if err := w.job.Bootstrap.Adopt(ctx, *w.offer, reporter.Waiting); err != nil {
			return err
		}
	}
	driver := func(goal fsm.State) *driver {
		driver := w.driver(reporter)
		driver.Goal = goal
		return driver
	}
	var err error
	if w.emergency != nil {
		w.outcome, err = w.driveAsRoot(ctx, driver)
		return err
	}
	w.outcome, err = w.driver(reporter).Run(ctx)
	return err
}

// driver walks a bootstrap.
type driver = fsm.Driver[*states.Look]

func (w *walk) driver(reporter fsm.Reporter) *driver {
	b := w.job.Bootstrap
	return &driver{
		Goal: w.job.Goal,
		Look: w.look, Settle: b.Settle, Acts: b.Acts(), Tend: b.Tend, Rescue: b.Rescue, Enter: b.Enter,
		Reporter: reporter, Patience: w.job.Options.Patience, Now: time.Now,
		Backoff: newBackoff,
	}
}

// look looks, and keeps what was seen for the summary.
func (w *walk) look(ctx context.Context) (*states.Look, error) {
	look, err := w.job.Bootstrap.Look(ctx)
	if err == nil {
		w.seen = look
	}
	return look, err
}

// summary is what the walk has come to, with the controls as the latest look has shown them.
func (w *walk) summary() report.Summary {
	s := report.Summary{Outcome: w.outcome, Location: w.job.Store.Location()}
	if w.seen != nil {
		s.Controls = w.seen.Controls
	}
	return s
}

// close leaves nothing open: it ends the login's token, records how the run ended
// and gives the Lease back. A run that lost its Lease records nothing.
func (w *walk) close(ctx context.Context, session *store.Session, failure error) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if fault.KindOf(failure) != fault.Busy && !errors.Is(failure, errGaveWay) {
		err = briefly(ctx, func(ctx context.Context) error { return w.job.Bootstrap.Finish(ctx, failure) })
	}
	// The Lease goes last: without it no request is sent.
	if !w.keepsLogin {
		w.job.Bootstrap.Close(ctx)
	}
	if releaseErr := briefly(ctx, session.Release); releaseErr != nil {
		w.job.Bootstrap.Log.Warn("the lease was not given back, it runs out by itself", "error", releaseErr.Error())
	}
	if err != nil && failure != nil { // which matters more than that it could not be recorded
		w.job.Bootstrap.Log.Warn("the failure is not recorded", "error", err.Error())
		return nil
	}
	return err
}

// briefly calls f with a time of its own.
func briefly(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	return f(ctx)
}

// always allows requests that need no Lease.
func always() error { return nil }
