package fsm

import (
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Sight is what a look without the right to act has shown.
type Sight struct {
	// State is where Vault is, or at least is; empty if that cannot be told.
	State State
	// Observation is what State was judged by.
	Observation Observation
	// Idle is whether a run would find nothing to do, and nothing to record.
	Idle bool
	// Ready is whether a run could do something about it now.
	Ready bool
}

// Look probes and judges, and leaves everything as it is. The error is the one that a
// run would end with, or wait for; Sight holds what is known all the same.
func (d *Driver) Look(ctx context.Context) (Sight, error) {
	o, err := d.Probe(ctx)
	if err != nil {
		return Sight{}, fmt.Errorf("probing: %w", err)
	}
	state, err := Locate(o)
	sight := Sight{State: state, Observation: o}
	if state != "" {
		d.Reporter.Located(state)
	}
	tends := !state.Before(Unsealed) && !d.Goal.Before(Unsealed) && len(o.ToUnseal())+len(o.ToJoin()) > 0
	behind := state != d.Remembered || state.Before(d.Goal)
	switch {
	case err == nil:
		sight.Idle = !behind && !tends
		sight.Ready = !sight.Idle
	case fault.KindOf(err) == fault.Terminal:
		sight.Ready = true // to be recorded, or rescued
	default:
		sight.Ready = tends
	}
	return sight, err
}
