package fsm

import (
	"errors"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func TestJudge(t *testing.T) {
	settled := ours(Observation{Replicas: replicas(Active, Standby), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold})
	drifted, sealed, troubled, troubledSealed := settled, settled, settled, settled
	drifted.Plan = PlanChanges
	sealed.Replicas = replicas(Active, Sealed)
	people := ours(Observation{Replicas: replicas(Sealed), Custodians: fault.Stop("custodians must unseal", errors.New("alice"), "ask them")})
	waitingPeople := people
	waitingPeople.Custodians = fault.Wait(errors.New("alice"), "ask them")
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
		"people have to unseal it":     {waitingPeople, Initialized, false, false, fault.Transient, true},
		"and that is not on record":    {waitingPeople, Hardened, false, true, fault.Transient, true},
		"and it ends a run":            {people, Initialized, false, true, fault.Terminal, true},
		"its seal has to open it":      {ours(Observation{Replicas: replicas(Sealed), RecoveryKeys: true}), Initialized, false, false, fault.Transient, true},
		"an answer is spooled":         {Observation{Replicas: replicas(Sealed), Keys: SpooledAnswer}, "", false, true, fault.Transient, true},
		"nobody answers":               {ours(Observation{Replicas: replicas(NoAnswer)}), Hardened, false, false, fault.Transient, true},
		"cannot be looked into":        {troubled, Hardened, false, false, fault.Transient, true},
		"cannot, and one is sealed":    {troubledSealed, Hardened, false, true, fault.Transient, true},
		"a person is needed":           {Observation{Replicas: replicas(Active)}, "", false, true, fault.Terminal, true},
		"somebody has sealed a member": {ours(Observation{Replicas: onPurpose(replicas(Active, Sealed)), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, true, false, 0, false},
	} {
		w := newWorld(t)
		w.o = test.o
		if test.o.Keys == SpooledAnswer {
			w.unsettled = 1
		}
		d := w.driver()
		w.remembered = test.remembered
		_, verdict, err := d.Judge(t.Context())
		if verdict.Idle != test.idle || verdict.Ready != test.ready || (err != nil) != test.fails || err != nil && fault.KindOf(err) != test.kind {
			t.Errorf("%s: idle %v, ready %v, %v", name, verdict.Idle, verdict.Ready, err)
		}
		if len(w.acted)+len(w.saved) > 0 {
			t.Errorf("%s: the look acted: %v, %v", name, w.acted, w.saved)
		}
	}
}
