package fsm

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Verdict is what a look says when the caller may not act.
type Verdict struct {
	// State is the state of Vault, or the least that it can be; empty if that is not known.
	State State
	// Idle is whether a run would find nothing to do, and nothing to record.
	Idle bool
	// Ready is whether a run could do something about it now.
	Ready bool
	// Urgent is whether that would bring keys to safety or unseal a replica.
	Urgent bool
}

// Judge takes a look and judges it, and changes nothing. The error is the one that a run would end
// with, or wait on; the look and the verdict hold what is known even then. The look is zero if
// taking it failed.
func (d *Driver[L]) Judge(ctx context.Context) (L, Verdict, error) {
	look, err := d.look(ctx)
	if err != nil {
		return look, Verdict{}, err
	}
	o := look.Observed()
	state, err := Locate(*o)
	if state != "" {
		d.Reporter.Located(state)
	}
	verdict := Verdict{State: state}
	tends := o.Tends(state, d.Goal)
	behind := state != d.remembered || state.Before(d.Goal)
	switch {
	case !look.Settled():
		verdict.Ready = true
	case err == nil:
		verdict.Idle = !behind && !tends
		verdict.Ready = !verdict.Idle
	case fault.KindOf(err) == fault.Terminal:
		verdict.Ready = true // to be recorded, or rescued
	case state == Initialized:
		verdict.Ready = tends || state != d.remembered // that it was sealed is to be recorded
	default:
		verdict.Ready = tends
	}
	verdict.Urgent = o.Keys == SpooledAnswer || tends || state == Initialized && err == nil
	return look, verdict, err
}
