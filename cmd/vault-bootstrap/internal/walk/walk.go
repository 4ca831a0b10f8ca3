// Package walk takes a job to its goal: it takes the Lease, drives the state machine, and gives the
// Lease back, whatever happens between. It also does what is possible without the Lease while a
// record cannot be written.
//
// It knows neither flags nor how often walks take place.
package walk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// The waits between cycles: short at first, since Vault is usually up in a moment.
const (
	firstWait  = 100 * time.Millisecond
	longWait   = 5 * time.Second
	waitJitter = 20 // percent
	// closeTime is for each thing that is left to do when the run has ended or was cut off.
	closeTime = 5 * time.Second
	// MaxWaits is the number of cycles without progress after which a walk gives way: with the
	// waits between cycles, about 6 s.
	MaxWaits = 7
)

// ErrGaveWay means that a walk gave the Lease back because it only waited: others may
// have something to do.
var ErrGaveWay = errors.New("giving way")

// Walk takes a job to its goal.
type Walk struct {
	Job *job.Job
	// Offer holds the keys to adopt before walking; nil if there are none.
	Offer *shares.Material
	// NewKeys says which recovery keys to make before walking; nil for none.
	NewKeys *ceremony.Exchange
	// Emergency is why this walk runs as root; nil for the others.
	Emergency *ceremony.Emergency
	// KeepsLogin is whether the login is still needed after the walk.
	KeepsLogin bool

	// Outcome is the outcome of the latest run.
	Outcome fsm.Outcome
	// Changes are what the latest run has changed.
	Changes report.Changes
	// Repeats is whether this is one of many walks: their failures are compared with those of looks,
	// and have nothing in them that a look does not know.
	Repeats bool
	// Seen is the latest look; nil before the first.
	Seen *states.Look
}

// New returns a walk of a job.
func New(j *job.Job) *Walk { return &Walk{Job: j} }

// Run takes the Lease and walks to the goal.
func (w *Walk) Run(ctx context.Context, reporter report.Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, w.Job.Options.Timeout)
	defer cancel()
	if deadline, limited := ctx.Deadline(); limited {
		reporter.GivesUp(deadline)
	}
	w.Job.Bootstrap.LogTo(reporter.Log())
	for _, risk := range w.Job.Risks {
		reporter.Log().Warn(risk)
	}
	leased, hold, release := WaitThenHold(ctx)
	defer release()
	session, err := w.begin(ctx, leased, reporter)
	switch {
	case errors.Is(err, store.ErrImmutable):
		return w.WithoutWriting(ctx, reporter, err)
	case err != nil:
		return err
	}
	hold()
	return w.Act(ctx, reporter, session)
}

// Act walks to the goal with the Lease held, and gives it back.
func (w *Walk) Act(ctx context.Context, reporter report.Reporter, session *fencing.Session) error {
	w.Job.Guard(session.Alive)
	w.Job.Bootstrap.Hold(session)
	defer w.Job.Bootstrap.LetGo()
	working, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	context.AfterFunc(session.Context(), func() { lose(context.Cause(session.Context())) })
	err := OrLost(session.Context(), w.drive(working, &permissions{Reporter: reporter, giveUp: lose}))
	interrupted := errors.Is(ctx.Err(), context.Canceled) // what is left of our time belongs to the Lease
	if !interrupted && !errors.Is(err, ErrGaveWay) && !errors.Is(err, store.ErrLeaseLost) {
		if named := states.NameRoot(context.WithoutCancel(ctx), w.Job.Bootstrap, w.Seen, err); !w.Repeats {
			err = named
		}
	}
	w.Changes = report.Changes(w.Job.Bootstrap.Done())
	// What did not open in time is not called unsealed.
	w.Changes.Unsealed = slices.DeleteFunc(w.Changes.Unsealed, func(address string) bool {
		return slices.ContainsFunc(w.Outcome.Pending, func(r fsm.Replica) bool { return r.Address == address })
	})
	return errors.Join(err, w.close(ctx, session, err))
}

// OrLost replaces a transient failure by its true cause if that is the loss of the Lease: whatever
// was in progress was merely cut off.
func OrLost(leased context.Context, err error) error {
	lost := context.Cause(leased)
	if err == nil || !errors.Is(lost, store.ErrLeaseLost) || fault.KindOf(err) != fault.Transient {
		return err
	}
	return fmt.Errorf("%w (last: %w)", lost, err)
}

func (w *Walk) drive(ctx context.Context, reporter report.Reporter) error {
	if w.Offer != nil {
		if err := w.Job.Bootstrap.Adopt(ctx, *w.Offer, reporter.Waiting); err != nil {
			return err
		}
	}
	if w.NewKeys != nil {
		if err := w.makeKeys(ctx, reporter); err != nil {
			return err
		}
	}
	driver := func(goal fsm.State) *driver {
		driver := w.Driver(reporter)
		driver.Goal = goal
		return driver
	}
	var err error
	if w.Emergency != nil {
		w.Outcome, err = w.driveAsRoot(ctx, driver)
		return err
	}
	w.Outcome, err = w.Driver(reporter).Run(ctx)
	return err
}

// driver drives a bootstrap.
type driver = fsm.Driver[*states.Look]

// Driver returns a driver of the state machine to the goal.
func (w *Walk) Driver(reporter fsm.Reporter) *driver {
	b := w.Job.Bootstrap
	return &driver{
		Goal: w.Job.Goal,
		Look: w.look, Settle: b.Settle, Acts: b.Acts(), Tend: b.Tend, Rescue: b.Rescue, Enter: b.Enter,
		Reporter: reporter, Patience: w.Job.Options.Patience, Now: time.Now,
		Backoff: newBackoff,
	}
}

// look looks, and keeps what was seen for the summary.
func (w *Walk) look(ctx context.Context) (*states.Look, error) {
	look, err := w.Job.Bootstrap.Look(ctx)
	if err != nil {
		return look, err
	}
	if look.NoSeed && w.Seen == nil {
		w.Job.Bootstrap.Setting().Log.Warn("no seed given: the objects of the seed on record stay as they are, and are not compared", "seed_digest", look.Checkpoint.SeedDigest)
	}
	w.Seen = look
	w.Job.WarnOfExposure(ctx, w.Job.Bootstrap.Setting().Log, look.StoredKeys, !w.Repeats)
	return look, nil
}

// Summary returns the outcome of the walk, with the controls as of the latest look.
func (w *Walk) Summary() report.Summary {
	s := report.Summary{Outcome: w.Outcome, Changes: w.Changes, Location: w.Job.Store.Location()}
	if w.Seen != nil {
		s.Controls, s.RootSince, s.NoSeed = w.Seen.Controls, w.Seen.StoredKeys.RootSince(), w.Seen.NoSeed
	}
	return s
}

// close leaves nothing open: it records how the run ended, revokes the login's token and gives the
// Lease back. A run that lost its Lease records nothing.
func (w *Walk) close(ctx context.Context, session *fencing.Session, failure error) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if fault.KindOf(failure) != fault.Busy && !errors.Is(failure, ErrGaveWay) {
		err = Briefly(ctx, func(ctx context.Context) error { return w.Job.Bootstrap.Finish(ctx, failure, w.Job.Goal) })
	}
	// The Lease goes last: without it no request is sent.
	if !w.KeepsLogin {
		w.Job.Bootstrap.Close(ctx)
	}
	if releaseErr := Briefly(ctx, session.Release); releaseErr != nil {
		w.Job.Bootstrap.Setting().Log.Warn("the lease was not given back, it expires by itself", "error", releaseErr.Error())
	}
	if err != nil && failure != nil { // the failure matters more than that it could not be recorded
		w.Job.Bootstrap.Setting().Log.Warn("the failure is not recorded", "error", err.Error())
		return nil
	}
	return err
}

// Briefly calls f with its own short timeout.
func Briefly(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	return f(ctx)
}

// Always allows requests that need no Lease.
func Always() error { return nil }
