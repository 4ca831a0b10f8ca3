package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
)

// acquireTime is how long a walk waits for the Lease. Its holder does the same work, so a new look
// is worth more than waiting in line.
const acquireTime = 30 * time.Second

// act takes the Lease, walks to the goal, and gives the Lease back.
func (w *Watcher) act(ctx context.Context) error {
	acquiring, acquired := context.WithTimeout(ctx, acquireTime)
	defer acquired()
	leased, hold, release := walk.WaitThenHold(acquiring)
	defer release()
	session, err := w.beginOrStandBy(ctx, leased)
	switch {
	case errors.Is(err, store.ErrImmutable):
		return w.walk.WithoutWriting(ctx, w.report, err)
	case err != nil:
		return err
	}
	hold()
	w.session = session            // whose writes must not wake the wait
	defer w.job.Guard(walk.Always) // what follows only reads, or ends the login
	ctx, cancel := context.WithTimeout(ctx, w.job.Options.Timeout)
	defer cancel()
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	err = w.walk.Act(ctx, &impatient{Reporter: w.report, giveWay: giveWay, again: w.past.failure}, session)
	report.LogChanges(w.report, w.walk.Changes)
	return err
}

// beginOrStandBy waits for the Lease, and meanwhile opens what stays sealed: whoever holds it may be
// gone, and it expires late.
func (w *Watcher) beginOrStandBy(ctx, leased context.Context) (*fencing.Session, error) {
	defer w.standingBy(ctx)()
	return fencing.Begin(leased, w.job.Store, w.walk.LeaseOptions(w.report))
}

// maxFailures is how often an act may fail in the first walk before the walk gives way: what a seed
// has just created, a login above all, may need a moment. Later walks try once.
const maxFailures = 3

// impatient ends a walk that only waits, or whose act fails. It does not report again what the
// previous walk has reported.
type impatient struct {
	report.Reporter
	giveWay  context.CancelCauseFunc
	again    error // the failure of the previous walk; nil if it succeeded
	failures int
	failing  bool // the latest act has failed, and may give way
}

// Began reports an act, the first time.
func (r *impatient) Began(event fsm.Event, from fsm.State) {
	r.failing = false
	if r.again == nil {
		r.Reporter.Began(event, from)
	}
}

// Failed reports the failure of an act, the first time. Storing keys and opening replicas do not
// give way.
func (r *impatient) Failed(event fsm.Event, err error) {
	if r.again == nil {
		r.Reporter.Failed(event, err)
	}
	r.failing = event == fsm.Seed || event == fsm.Harden
	if r.failing {
		r.failures++
	}
}

// Waiting ends the walk after the last allowed wait.
func (r *impatient) Waiting(err error, attempt int) {
	if r.again == nil {
		r.Reporter.Waiting(err, attempt)
	}
	limit := maxFailures
	if r.again != nil {
		limit = 1
	}
	if attempt >= walk.MaxWaits || r.failing && r.failures >= limit {
		r.giveWay(fault.Wait(fmt.Errorf("%w to others", walk.ErrGaveWay), fault.RemedyOf(err)))
	}
}
