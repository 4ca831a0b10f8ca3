package fsm

import (
	"errors"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func TestLook(t *testing.T) {
	settled := ours(Observation{Replicas: replicas(Active, Standby), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold})
	drifted, sealed, troubled, troubledSealed := settled, settled, settled, settled
	drifted.Plan = PlanChanges
	sealed.Replicas = replicas(Active, Sealed)
	troubled.Trouble = errors.New("the seed is not readable")
	troubledSealed.Trouble, troubledSealed.Replicas = troubled.Trouble, sealed.Replicas
	for name, test := range map[string]struct {
		o           Observation
		remembered  State
		idle, ready bool
		kind        fault.Kind
		fails       bool
	}{
		"nothing to do":                {settled, Hardened, true, false, 0, false},
		"ahead of what is recorded":    {settled, Seeded, false, true, 0, false},
		"drift":                        {drifted, Hardened, false, true, 0, false},
		"a replica is sealed":          {sealed, Hardened, false, true, 0, false},
		"all are sealed":               {ours(Observation{Replicas: replicas(Sealed, Sealed)}), Hardened, false, true, 0, false},
		"nobody answers":               {ours(Observation{Replicas: replicas(NoAnswer)}), Hardened, false, false, fault.Transient, true},
		"cannot be looked into":        {troubled, Hardened, false, false, fault.Transient, true},
		"cannot, and one is sealed":    {troubledSealed, Hardened, false, true, fault.Transient, true},
		"a person is needed":           {Observation{Replicas: replicas(Active)}, "", false, true, fault.Terminal, true},
		"somebody has sealed a member": {ours(Observation{Replicas: onPurpose(replicas(Active, Sealed)), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, true, false, 0, false},
	} {
		w := newWorld(t)
		w.o = test.o
		d := w.driver()
		d.Remembered = test.remembered
		sight, err := d.Look(t.Context())
		if sight.Idle != test.idle || sight.Ready != test.ready || (err != nil) != test.fails || err != nil && fault.KindOf(err) != test.kind {
			t.Errorf("%s: idle %v, ready %v, %v", name, sight.Idle, sight.Ready, err)
		}
		if len(w.acted)+len(w.saved) > 0 {
			t.Errorf("%s: the look acted: %v, %v", name, w.acted, w.saved)
		}
	}
}
