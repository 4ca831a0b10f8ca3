package fsm_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// TestForesee says what a run would do from what is seen, and how it would end.
func TestForesee(t *testing.T) {
	one := func(health fsm.Health) fsm.Replicas { return fsm.Replicas{{Address: "a", Health: health}} }
	ours := func(health fsm.Health, remembered fsm.State) fsm.Observation {
		return fsm.Observation{Replicas: one(health), Keys: fsm.StoredKeys, Remembered: remembered, Login: fsm.LoginWorks, Plan: fsm.PlanEmpty, Controls: fsm.ControlsHold}
	}
	with := func(o fsm.Observation, change func(o *fsm.Observation)) fsm.Observation {
		change(&o)
		return o
	}
	trouble := fault.Stop("seed exceeds policy", errors.New("it does"), "")
	for _, test := range []struct {
		name   string
		seen   fsm.Observation
		goal   fsm.State
		state  fsm.State
		events []fsm.Event
		tends  bool
		kind   fault.Kind
		fails  bool
	}{
		{name: "empty", seen: fsm.Observation{Replicas: one(fsm.NotInitialized)}, state: fsm.Uninitialized, events: []fsm.Event{fsm.Initialize, fsm.Unseal, fsm.Seed, fsm.Harden}},
		{name: "empty, only to unseal", seen: fsm.Observation{Replicas: one(fsm.NotInitialized)}, goal: fsm.Unsealed, state: fsm.Uninitialized, events: []fsm.Event{fsm.Initialize, fsm.Unseal}},
		{name: "done", seen: ours(fsm.Active, fsm.Hardened), state: fsm.Hardened},
		{name: "sealed", seen: ours(fsm.Sealed, fsm.Hardened), state: fsm.Initialized, events: []fsm.Event{fsm.Unseal}},
		{name: "sealed in the first run", seen: ours(fsm.Sealed, fsm.Unsealed), state: fsm.Initialized, events: []fsm.Event{fsm.Unseal, fsm.Seed, fsm.Harden}},
		{name: "sealed before it was hardened", seen: ours(fsm.Sealed, fsm.Seeded), state: fsm.Initialized, events: []fsm.Event{fsm.Unseal, fsm.Harden}},
		{name: "drifted", seen: with(ours(fsm.Active, fsm.Hardened), func(o *fsm.Observation) { o.Plan = fsm.PlanChanges }), state: fsm.Unsealed, events: []fsm.Event{fsm.Seed, fsm.Harden}},
		{name: "one sealed", seen: with(ours(fsm.Active, fsm.Hardened), func(o *fsm.Observation) {
			o.Replicas = append(o.Replicas, fsm.Replica{Address: "b", Health: fsm.Sealed})
		}), state: fsm.Hardened, tends: true},
		{name: "not ours", seen: fsm.Observation{Replicas: one(fsm.Sealed)}, kind: fault.Terminal, fails: true},
		{name: "silent", seen: ours(fsm.NoAnswer, fsm.Hardened), kind: fault.Transient, fails: true},
		{name: "spooled", seen: with(ours(fsm.Sealed, ""), func(o *fsm.Observation) { o.Keys = fsm.SpooledAnswer }), state: fsm.Initialized, events: []fsm.Event{fsm.Unseal, fsm.Seed, fsm.Harden}},
		{name: "spooled, and cannot be stored", seen: with(ours(fsm.Sealed, ""), func(o *fsm.Observation) { o.Keys, o.Trouble = fsm.SpooledAnswer, trouble }), kind: fault.Terminal, fails: true},
		{name: "an earlier attempt, which failed", seen: fsm.Observation{Replicas: one(fsm.NotInitialized), Keys: fsm.OpenIntent, UninitializedFor: time.Second}, state: fsm.Uninitialized, events: []fsm.Event{fsm.Initialize, fsm.Unseal, fsm.Seed, fsm.Harden}},
		{name: "an earlier attempt, whose process may live", seen: fsm.Observation{Replicas: one(fsm.Sealed), Keys: fsm.OpenIntent, Maker: fsm.Maker{Name: "m", Grace: time.Minute}}, kind: fault.Transient, fails: true},
		{name: "keys lost", seen: fsm.Observation{Replicas: one(fsm.Sealed), Keys: fsm.OpenIntent}, kind: fault.Terminal, fails: true},
		{name: "trouble inside", seen: with(ours(fsm.Active, fsm.Hardened), func(o *fsm.Observation) { o.Trouble = trouble }), state: fsm.Unsealed, kind: fault.Terminal, fails: true},
		{name: "trouble inside, only to unseal", seen: with(ours(fsm.Active, fsm.Hardened), func(o *fsm.Observation) { o.Trouble = trouble }), goal: fsm.Unsealed, state: fsm.Unsealed},
		{name: "waits for its seal", seen: with(ours(fsm.Sealed, fsm.Hardened), func(o *fsm.Observation) { o.RecoveryKeys = true }), state: fsm.Initialized, kind: fault.Transient, fails: true},
	} {
		goal := test.goal
		if goal == "" {
			goal = fsm.Hardened
		}
		got := fsm.Foresee(test.seen, goal)
		if got.State != test.state || !slices.Equal(got.Events, test.events) || got.Tends != test.tends {
			t.Errorf("%s: %+v", test.name, got)
		}
		if (got.Err != nil) != test.fails || test.fails && fault.KindOf(got.Err) != test.kind {
			t.Errorf("%s: it would end with %v", test.name, got.Err)
		}
	}
}
