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

// Act does the work of one event. It must be safe to repeat from any point at
// which it can be cut off, since the cycle after it starts from a fresh look.
type Act func(ctx context.Context, o Observation) error

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

// Driver walks the machine to a goal.
type Driver struct {
	// Goal is the state to reach.
	Goal State
	// Remembered is the checkpoint's state; empty if there is none.
	Remembered State
	// Probe looks at the world and changes nothing.
	Probe func(ctx context.Context) (Observation, error)
	// Acts holds an act for every event.
	Acts map[Event]Act
	// Tend joins and unseals replicas of a cluster whose state is not theirs to change.
	Tend Act
	// Rescue, if not nil, is asked about a terminal error before it ends the run. It
	// returns that error, or another one: a transient one if the world will change.
	Rescue func(ctx context.Context, o Observation, terminal error) error
	// Enter saves the checkpoint.
	Enter func(ctx context.Context, t Transition) error
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
func (d *Driver) Run(ctx context.Context) (Outcome, error) {
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
			return Outcome{State: d.Remembered, Transitions: d.transitions}, explain(ctx, err, last)
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

// cycle is one pass: probe, locate, next, event. It returns an outcome when the
// goal is reached.
func (d *Driver) cycle(ctx context.Context) (*Outcome, error) {
	o, err := d.Probe(ctx)
	if err != nil {
		return nil, fmt.Errorf("probing: %w", err)
	}
	o.Findings, d.findings = d.findings, nil
	state, err := Locate(o)
	if err != nil {
		return d.atLeast(ctx, state, o, d.rescue(ctx, o, err))
	}
	d.Reporter.Located(state)
	if state == Initialized && !d.Remembered.Before(Unsealed) && o.open() {
		// Replicas come up one after another: a cluster of which a part is open has
		// not been sealed, it has no active node yet.
		return nil, errors.Join(d.tend(ctx, Unsealed, o), waitForActive(o))
	}
	if err := d.catchUp(ctx, state, o); err != nil {
		return nil, err
	}
	tendErr := d.tend(ctx, state, o)
	if len(d.findings) > 0 {
		return nil, tendErr
	}
	event, ahead := Next(state, d.Goal)
	if ahead {
		return nil, d.fire(ctx, state, event, o)
	}
	return d.finish(state, o, tendErr)
}

// rescue gives a terminal error a last chance.
func (d *Driver) rescue(ctx context.Context, o Observation, err error) error {
	if d.Rescue == nil || fault.KindOf(err) != fault.Terminal {
		return err
	}
	return d.Rescue(ctx, o, err)
}

// atLeast does what can be done about a world of which only a part is known: its
// sealed replicas must not wait for a seed to be mended, and a goal that lies in the
// known part is reached.
func (d *Driver) atLeast(ctx context.Context, state State, o Observation, unknown error) (*Outcome, error) {
	if state == "" {
		return nil, unknown
	}
	d.Reporter.Located(state)
	tendErr := d.tend(ctx, state, o)
	if len(d.findings) > 0 {
		return nil, tendErr
	}
	if state.Before(d.Goal) {
		return nil, unknown
	}
	if d.Remembered.Before(state) {
		if err := d.enter(ctx, Transition{From: d.Remembered, To: state}); err != nil {
			return nil, err
		}
	}
	return d.finish(state, o, tendErr)
}

// catchUp brings what is remembered in line with what was found.
func (d *Driver) catchUp(ctx context.Context, state State, o Observation) error {
	if state == d.Remembered {
		return nil
	}
	if event, fell := Regress(d.Remembered, state); fell {
		return d.fire(ctx, d.Remembered, event, o)
	}
	return d.enter(ctx, Transition{From: d.Remembered, To: state})
}

// fire runs an event's act and enters the state that follows.
func (d *Driver) fire(ctx context.Context, from State, event Event, o Observation) error {
	act, known := d.Acts[event]
	if !known {
		return fault.Stop("", fmt.Errorf("the event %q has no act", event), "This is a bug of vault-bootstrap: please report it.")
	}
	began := d.Now()
	d.Reporter.Began(event, from)
	acting := func() error {
		err := act(ctx, o)
		if err != nil {
			d.learn(err)
			d.Reporter.Failed(event, err)
			return fmt.Errorf("%s: %w", event, err)
		}
		return nil
	}
	return newMachine(from, acting, func(t Transition) error {
		t.Took = d.Now().Sub(began)
		return d.enter(ctx, t)
	}).fire(event)
}

// enter records a state.
func (d *Driver) enter(ctx context.Context, t Transition) error {
	if err := d.Enter(ctx, t); err != nil {
		return fmt.Errorf("recording the state %q: %w", t.To, err)
	}
	d.Remembered = t.To
	d.transitions = append(d.transitions, t)
	d.Reporter.Entered(t)
	return nil
}

// learn keeps a finding for the next cycle.
func (d *Driver) learn(err error) {
	if finding, ok := errors.AsType[*Finding](err); ok {
		d.findings = append(d.findings, *finding)
	}
}

// tend looks after replicas that lag behind the cluster.
func (d *Driver) tend(ctx context.Context, state State, o Observation) error {
	if state.Before(Unsealed) || d.Goal.Before(Unsealed) || len(o.ToUnseal())+len(o.ToJoin()) == 0 {
		return nil
	}
	err := d.Tend(ctx, o)
	if err != nil {
		d.learn(err)
	}
	return err
}

// finish ends the run at the goal, after waiting a while for replicas that are
// not yet a part of the cluster. tendErr is why one of them could not be tended: it
// does not hold up the cluster either.
func (d *Driver) finish(state State, o Observation, tendErr error) (*Outcome, error) {
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
	return nil, fault.Wait(fmt.Errorf("the cluster is %s, waiting for the rest of its replicas (%s)", state, describe(outcome.Pending)),
		"A replica that is down does not hold up the cluster: the run goes on without it after a while, and the next one unseals it.")
}
