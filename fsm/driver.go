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
	// Reason is why the state fell back; zero where it did not.
	Reason Reason
}

// Reason is why a state is behind the one on record, for people.
type Reason struct {
	// Text is a clause without a full stop; empty if there is nothing to explain.
	Text string
	// Asked is whether somebody has asked for it, by another seed or another token, rather than
	// changed Vault.
	Asked bool
}

// Look is what one reading of the world has shown. The driver judges the observation in it and
// passes the whole to the acts.
type Look interface {
	// Observed returns the observation, with the state on record. The driver adds the
	// symptoms of the acts before.
	Observed() *Observation
	// Settled reports whether nothing was seen that must first be ended under the Lease.
	Settled() bool
	// Explain returns what has happened where an event only records that the world has changed.
	Explain(event Event) Reason
}

// Act does the work of one event, given what the look has shown. It must be safe to repeat from any
// point at which it can be cut off, since the next cycle starts from a fresh look.
type Act[L Look] func(ctx context.Context, look L) error

// Reporter reports what the driver does, to people and to logs.
type Reporter interface {
	// Waiting reports a transient error, whose remedy says what the driver waits for, and how many
	// cycles in a row have failed.
	Waiting(err error, attempt int)
	// Located reports, once per cycle, the state in which the world was found.
	Located(state State)
	// Began reports that an act starts.
	Began(event Event, from State)
	// Failed reports that an act failed.
	Failed(event Event, err error)
	// Entered reports that a state was entered, or that it was found to be reached already.
	Entered(t Transition)
}

// Driver walks the machine to a goal. L is the type of the looks.
type Driver[L Look] struct {
	// Goal is the state to reach.
	Goal State
	// Look reads the world and changes nothing.
	Look func(ctx context.Context) (L, error)
	// Settle ends what the look has found unsettled, and reports whether the world has to be read
	// again. If it fails, the look is judged with that error as its trouble.
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
	// Reporter reports what happens.
	Reporter Reporter
	// Backoff returns the waits between failed cycles. It is called again after each cycle that
	// made progress, since backoffs are stateful.
	Backoff func() retry.Backoff
	// Patience is how long to wait at the goal for replicas that are not yet a part
	// of the cluster.
	Patience time.Duration
	// Now returns the time.
	Now func() time.Time

	remembered   State // on record, by the latest look or as it was entered since
	symptoms     []Symptom
	pendingSince time.Time
	transitions  []Transition
}

// Outcome is the result of a run.
type Outcome struct {
	State State
	// Transitions are the steps taken, in order.
	Transitions []Transition
	// Pending are replicas that did not become a part of the cluster in time.
	Pending Replicas
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
	case errors.Is(cause, last): // it was given up for that very reason
		return cause
	default:
		return fmt.Errorf("%w (last: %w)", cause, last)
	}
}
