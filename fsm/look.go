package fsm

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Verdict is what a look without the right to act amounts to.
type Verdict struct {
	// State is where Vault is, or at least is; empty if that cannot be said.
	State State
	// Idle is whether a run would find nothing to do, and nothing to record.
	Idle bool
	// Ready is whether a run could do something about it now.
	Ready bool
	// Urgent is whether that is to bring keys to safety or to open a replica.
	Urgent bool
}

// Judge looks and judges, and leaves everything as it is. The error is the one that a run
// would end with, or wait for; the look and the verdict hold what is known all the same.
// The look is the zero one if it failed itself.
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
