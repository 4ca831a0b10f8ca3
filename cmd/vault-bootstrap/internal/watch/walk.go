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

// acquireTime is how long a walk waits for the Lease. Whoever has it does the same work, so
// that a new look is worth more than a place in the queue.
const acquireTime = 30 * time.Second

// act takes the Lease, walks to the goal, and gives the Lease back.
func (w *Watcher) act(ctx context.Context) error {
	acquiring, acquired := context.WithTimeout(ctx, acquireTime)
	defer acquired()
	leased, hold, release := walk.WaitThenHold(acquiring)
	defer release()
	session, err := fencing.Begin(leased, w.job.Store, w.walk.LeaseOptions(w.report))
	switch {
	case errors.Is(err, store.ErrImmutable):
		return w.walk.WithoutWriting(ctx, w.report, err)
	case err != nil:
		return err
	}
	hold()
	w.session = session            // by whose writes it is not to be woken
	defer w.job.Guard(walk.Always) // what follows only looks, or ends the login
	ctx, cancel := context.WithTimeout(ctx, w.job.Options.Timeout)
	defer cancel()
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	return w.walk.Act(ctx, &impatient{Reporter: w.report, giveWay: giveWay, again: w.past.failure}, session)
}

// mostFailures is how often an act may fail in the first walk before it gives way: what a
// seed has just made, a login above all, may need a moment. Later walks try once.
const mostFailures = 3

// impatient ends a walk that does nothing but wait, or whose act fails. What the walk before
// has reported is not reported again.
type impatient struct {
	report.Reporter
	giveWay  context.CancelCauseFunc
	again    error // what the walk before has failed with; nil if it did not
	failures int
	failing  bool // the act that has just failed is an urgent one
}

// Began reports an act, the first time.
func (r *impatient) Began(event fsm.Event, from fsm.State) {
	r.failing = false
	if r.again == nil {
		r.Reporter.Began(event, from)
	}
}

// Failed reports the failure of an act, the first time. Keys are brought to safety and
// replicas opened without giving way.
func (r *impatient) Failed(event fsm.Event, err error) {
	if r.again == nil {
		r.Reporter.Failed(event, err)
	}
	r.failing = event == fsm.Seed || event == fsm.Harden
	if r.failing {
		r.failures++
	}
}

// Waiting ends the walk at the last of the waits.
func (r *impatient) Waiting(err error, attempt int) {
	if r.again == nil {
		r.Reporter.Waiting(err, attempt)
	}
	most := mostFailures
	if r.again != nil {
		most = 1
	}
	if attempt >= walk.MostWaits || r.failing && r.failures >= most {
		r.giveWay(fault.Wait(fmt.Errorf("%w to others", walk.ErrGaveWay), fault.RemedyOf(err)))
	}
}
