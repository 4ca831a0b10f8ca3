package fsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// cycle is one pass: look, settle, locate, next, event. It returns an outcome when the
// goal is reached.
func (d *Driver[L]) cycle(ctx context.Context) (*Outcome, error) {
	look, err := d.settled(ctx)
	if err != nil {
		return nil, err
	}
	o := look.Observed()
	o.Symptoms, d.symptoms = d.symptoms, nil
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
	if len(d.symptoms) > 0 {
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

// maxSettling bounds how often in a row something is settled and the world is read again.
const maxSettling = 5

// settled returns a look in which nothing is left to be settled, as far as that can be done now.
func (d *Driver[L]) settled(ctx context.Context) (look L, err error) {
	for range maxSettling {
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
		return look, fmt.Errorf("reading Vault and the records: %w", err)
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

// atLeast does what it can when only a part of the world is known: sealed replicas must not wait
// until somebody repairs the seed, and a goal that lies in the known part is reached.
func (d *Driver[L]) atLeast(ctx context.Context, state State, look L, unknown error) (*Outcome, error) {
	tendErr := d.tend(ctx, state, look)
	if len(d.symptoms) > 0 {
		return nil, tendErr
	}
	o := look.Observed()
	if _, active := o.Replicas.Active(); !active {
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
		if t.To.Before(t.From) {
			t.Reason = look.Explain(event)
		}
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

// learn keeps a symptom for the next cycle.
func (d *Driver[L]) learn(err error) {
	if symptom, ok := errors.AsType[*Symptom](err); ok {
		d.symptoms = append(d.symptoms, *symptom)
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

// finish ends the run at the goal, after waiting a while for replicas that are not yet part of the
// cluster. tendErr is why one of them could not be tended: it does not hold up the cluster either.
func (d *Driver[L]) finish(state State, o Observation, tendErr error) (*Outcome, error) {
	outcome := &Outcome{State: state, Transitions: d.transitions, Pending: o.Replicas.Pending()}
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
