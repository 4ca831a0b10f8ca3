package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// State is a state of the cluster, read from its active node.
type State string

// The states, in the order in which a bootstrap enters them.
const (
	Uninitialized State = "uninitialized"
	Initialized   State = "initialized"
	Unsealed      State = "unsealed"
	Seeded        State = "seeded"
	Hardened      State = "hardened"
)

// States returns all states in order.
func States() []State {
	return []State{Uninitialized, Initialized, Unsealed, Seeded, Hardened}
}

// Before reports whether s comes before other.
func (s State) Before(other State) bool {
	return slices.Index(States(), s) < slices.Index(States(), other)
}

// ParseState returns the state called name.
func ParseState(name string) (State, error) {
	if s := State(name); slices.Contains(States(), s) {
		return s, nil
	}
	names := make([]string, 0, len(States()))
	for _, s := range States() {
		names = append(names, string(s))
	}
	return "", fmt.Errorf("unknown state %q: must be one of %s", name, strings.Join(names, ", "))
}

// Event moves the machine from one state to another.
type Event string

// The events. The first four have an act that changes the world; the last three
// record that the world has changed by itself.
const (
	Initialize Event = "initialize"
	Unseal     Event = "unseal"
	Seed       Event = "seed"
	Harden     Event = "harden"

	Seal   Event = "seal"
	Drift  Event = "drift"
	Weaken Event = "weaken"
)

// Edge is a row of the transition table.
type Edge struct {
	Event Event
	From  []State
	To    State
}

// Table returns the legal transitions.
func Table() []Edge {
	return []Edge{
		{Initialize, []State{Uninitialized}, Initialized},
		{Unseal, []State{Initialized}, Unsealed},
		{Seed, []State{Unsealed}, Seeded},
		{Harden, []State{Seeded}, Hardened},

		{Seal, []State{Unsealed, Seeded, Hardened}, Initialized},
		{Drift, []State{Seeded, Hardened}, Unsealed},
		{Weaken, []State{Hardened}, Seeded},
	}
}

// Next returns the event that leads from state towards goal, and false when the
// goal is reached or passed.
func Next(state, goal State) (Event, bool) {
	if !state.Before(goal) {
		return "", false
	}
	for _, edge := range Table() {
		if slices.Contains(edge.From, state) && state.Before(edge.To) {
			return edge.Event, true
		}
	}
	return "", false
}

// Regress returns the event that explains why the state is behind the remembered one, and false if
// no edge of the table leads back there.
func Regress(remembered, state State) (Event, bool) {
	for _, edge := range Table() {
		if slices.Contains(edge.From, remembered) && edge.To == state && state.Before(remembered) {
			return edge.Event, true
		}
	}
	return "", false
}
