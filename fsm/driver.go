package fsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Transition is one step of the machine.
type Transition struct {
	From State
	// Event is empty when the world was found ahead of what was remembered.
	Event Event
	To    State
	// Took is how long the act took.
	Took time.Duration
}

// Look is what one look at the world has shown. The driver judges the observation in it
// and hands the whole to the acts.
type Look interface {
	// Observed returns the observation, with the state on record. The driver adds the
	// findings of the acts before.
	Observed() *Observation
	// Settled reports whether nothing was seen that has to be ended under the Lease first.
	Settled() bool
}

// Act does the work of one event, on what the look has shown. It must be safe to repeat
// from any point at which it can be cut off, since the cycle after it starts from a
// fresh look.
type Act[L Look] func(ctx context.Context, look L) error

// Reporter is told what the driver does, for people and for logs.
type Reporter interface {
	// Waiting is told a transient error, with what is waited for as its remedy,
	// and how many cycles in a row have failed.
	Waiting(err error, attempt int)
	// Located is told, once per cycle, which state the world was found in.
	Located(state State)
	// Began is told that an act starts.
	Began(event Event, from State)
	// Failed is told that an act did not succeed.
	Failed(event Event, err error)
	// Entered is told that a state was entered, or found to be already there.
	Entered(t Transition)
}

// Driver walks the machine to a goal. L is the type of the looks.
type Driver[L Look] struct {
	// Goal is the state to reach.
	Goal State
	// Look looks at the world and changes nothing.
	Look func(ctx context.Context) (L, error)
	// Settle ends what the look has found unsettled, and reports whether the world is to
	// be looked at anew. Its failure is trouble that the look is judged with.
	Settle func(ctx context.Context, look L) (changed bool, err error)
	// Acts holds an act for every event.
	Acts map[Event]Act[L]
	// Tend joins and unseals replicas of a cluster whose state is not theirs to change.
	Tend Act[L]
	// Rescue, if not nil, is asked about a terminal error before it ends the run. It
	// returns that error, or another one: a transient one if the world will change.
	Rescue func(ctx context.Context, look L, terminal error) error
	// Enter saves the checkpoint.
	Enter func(ctx context.Context, look L, t Transition) error
	// Reporter is told what happens.
	Reporter Reporter
	// Backoff makes the waits between failed cycles; it is called anew after each
	// cycle that made progress, since backoffs are stateful.
	Backoff func() retry.Backoff
	// Patience is how long to wait at the goal for replicas that are not yet a part
	// of the cluster.
	Patience time.Duration
	// Now tells the time.
	Now func() time.Time

	remembered   State // on record, by the latest look or as it was entered since
	findings     []Finding
	pendingSince time.Time
	transitions  []Transition
}

// Outcome is what a run has come to.
type Outcome struct {
	State State
	// Transitions are the steps made, in order.
	Transitions []Transition
	// Pending are replicas that did not become a part of the cluster in time.
	Pending []Replica
}

// Run walks to the goal. Cycles that fail with a transient error are retried
// whole until ctx ends; the error is then the last real one.
func (d *Driver[L]) Run(ctx context.Context) (Outcome, error) {
	var done *Outcome
	for done == nil {
		attempt := 0
		var last error
		err := retry.Do(ctx, d.Backoff(), func(ctx context.Context) error {
			attempt++
			outcome, err := d.cycle(ctx)
			done = outcome
			if err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Transient {
				if err != nil {
					last = err
				}
				return err
			}
			last = err
			d.Reporter.Waiting(err, attempt)
			return retry.RetryableError(err)
		})
		if err != nil {
			return Outcome{State: d.remembered, Transitions: d.transitions}, explain(ctx, err, last)
		}
	}
	return *done, nil
}

// explain keeps the last real error, which go-retry drops when ctx ends.
func explain(ctx context.Context, err, last error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return err
	case last == nil:
		return cause
	// Not the cause's own error: a lost Lease may wrap the deadline of its last renewal.
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && (errors.Is(last, context.DeadlineExceeded) || fault.KindOf(last) == fault.Transient):
		return fmt.Errorf("time is up: %w", last)
	case fault.KindOf(last) != fault.Transient:
		return last
	default:
		return fmt.Errorf("%w (last: %w)", cause, last)
	}
}

// cycle is one pass: look, settle, locate, next, event. It returns an outcome when the
// goal is reached.
func (d *Driver[L]) cycle(ctx context.Context) (*Outcome, error) {
	look, err := d.settled(ctx)
	if err != nil {
		return nil, err
	}
	o := look.Observed()
	o.Findings, d.findings = d.findings, nil
	state, unknown := Locate(*o)
	if unknown != nil {
		unknown = d.rescue(ctx, look, unknown)
	}
	if state == "" {
		return nil, unknown
	}
	d.Reporter.Located(state)
	if unknown != nil && state != Initialized {
		return d.atLeast(ctx, state, look, unknown)
	}
	if err := d.catchUp(ctx, state, look); err != nil {
		return nil, err
	}
	tendErr := d.tend(ctx, state, look)
	if len(d.findings) > 0 {
		return nil, tendErr
	}
	event, ahead := Next(state, d.Goal)
	switch {
	case !ahead:
		return d.finish(state, *o, tendErr)
	case unknown != nil:
		return nil, unknown
	default:
		return nil, d.fire(ctx, state, event, look)
	}
}

// mostSettling bounds how often in a row something is settled and looked at anew.
const mostSettling = 5

// settled returns a look in which nothing is left to be settled, as far as that can be
// brought about now.
func (d *Driver[L]) settled(ctx context.Context) (look L, err error) {
	for range mostSettling {
		if look, err = d.look(ctx); err != nil || look.Settled() {
			return look, err
		}
		changed, err := d.Settle(ctx, look)
		if err != nil {
			o := look.Observed()
			o.Trouble = errors.Join(err, o.Trouble)
		}
		if err != nil || !changed {
			return look, nil
		}
	}
	return look, nil
}

func (d *Driver[L]) look(ctx context.Context) (L, error) {
	look, err := d.Look(ctx)
	if err != nil {
		return look, fmt.Errorf("looking at Vault and the records: %w", err)
	}
	d.remembered = look.Observed().Remembered
	return look, nil
}

// rescue gives a terminal error a last chance.
func (d *Driver[L]) rescue(ctx context.Context, look L, err error) error {
	if d.Rescue == nil || fault.KindOf(err) != fault.Terminal {
		return err
	}
	return d.Rescue(ctx, look, err)
}

// atLeast does what can be done about a world of which only a part is known: its
// sealed replicas must not wait for a seed to be mended, and a goal that lies in the
// known part is reached.
func (d *Driver[L]) atLeast(ctx context.Context, state State, look L, unknown error) (*Outcome, error) {
	tendErr := d.tend(ctx, state, look)
	if len(d.findings) > 0 {
		return nil, tendErr
	}
	o := look.Observed()
	if _, active := o.Active(); !active {
		return nil, errors.Join(tendErr, unknown)
	}
	if state.Before(d.Goal) {
		return nil, unknown
	}
	if d.remembered.Before(state) {
		if err := d.enter(ctx, look, Transition{From: d.remembered, To: state}); err != nil {
			return nil, err
		}
	}
	return d.finish(state, *o, tendErr)
}

// catchUp brings what is remembered in line with what was found.
func (d *Driver[L]) catchUp(ctx context.Context, state State, look L) error {
	if state == d.remembered {
		return nil
	}
	if event, fell := Regress(d.remembered, state); fell {
		return d.fire(ctx, d.remembered, event, look)
	}
	return d.enter(ctx, look, Transition{From: d.remembered, To: state})
}

// fire runs an event's act and enters the state that follows.
func (d *Driver[L]) fire(ctx context.Context, from State, event Event, look L) error {
	act, known := d.Acts[event]
	if !known {
		return fault.Stop("", fmt.Errorf("the event %q has no act", event), "This is a bug of vault-bootstrap: please report it.")
	}
	began := d.Now()
	d.Reporter.Began(event, from)
	acting := func() error {
		err := act(ctx, look)
		if err != nil {
			d.learn(err)
			d.Reporter.Failed(event, err)
			return fmt.Errorf("%s: %w", event, err)
		}
		return nil
	}
	return newMachine(from, acting, func(t Transition) error {
		t.Took = d.Now().Sub(began)
		return d.enter(ctx, look, t)
	}).fire(event)
}

// enter records a state.
func (d *Driver[L]) enter(ctx context.Context, look L, t Transition) error {
	if err := d.Enter(ctx, look, t); err != nil {
		return fmt.Errorf("recording the state %q: %w", t.To, err)
	}
	d.remembered = t.To
	d.transitions = append(d.transitions, t)
	d.Reporter.Entered(t)
	return nil
}

// learn keeps a finding for the next cycle.
func (d *Driver[L]) learn(err error) {
	if finding, ok := errors.AsType[*Finding](err); ok {
		d.findings = append(d.findings, *finding)
	}
}

// tend looks after replicas that lag behind the cluster.
func (d *Driver[L]) tend(ctx context.Context, state State, look L) error {
	if !look.Observed().Tends(state, d.Goal) {
		return nil
	}
	err := d.Tend(ctx, look)
	if err != nil {
		d.learn(err)
	}
	return err
}

// finish ends the run at the goal, after waiting a while for replicas that are
// not yet a part of the cluster. tendErr is why one of them could not be tended: it
// does not hold up the cluster either.
func (d *Driver[L]) finish(state State, o Observation, tendErr error) (*Outcome, error) {
	outcome := &Outcome{State: state, Transitions: d.transitions, Pending: o.Pending()}
	if len(outcome.Pending) == 0 || state.Before(Unsealed) {
		return outcome, nil
	}
	if d.pendingSince.IsZero() {
		d.pendingSince = d.Now()
	}
	if d.Now().Sub(d.pendingSince) >= d.Patience {
		return outcome, nil
	}
	if tendErr != nil {
		return nil, tendErr
	}
	if o.Custodians != nil {
		return nil, fault.Wait(o.Custodians, fault.RemedyOf(o.Custodians))
	}
	return nil, fault.Wait(fmt.Errorf("the cluster is %s, waiting for the rest of its replicas (%s)", state, describe(outcome.Pending)),
		"A replica that is down does not hold up the cluster: the run goes on without it after a while, and the next one unseals it.")
}
