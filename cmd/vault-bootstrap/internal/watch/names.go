package watch

import (
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
)

// countedNames returns what the metrics count, from the table of the machine.
func countedNames(bootstrap, goal string) metrics.Names {
	names := metrics.Names{Bootstrap: bootstrap, Goal: goal}
	for _, kind := range []fault.Kind{fault.Transient, fault.Terminal, fault.Usage, fault.Seed, fault.Busy, fault.Partial} {
		names.Kinds = append(names.Kinds, kind.String())
	}
	// A turn that fails is counted by the kind of its error, except where it waits.
	names.Results = []string{idle, acted, waiting, fault.Terminal.String(), fault.Usage.String(), fault.Seed.String(), fault.Busy.String()}
	for _, state := range fsm.States() {
		names.States = append(names.States, string(state))
		names.Transitions = append(names.Transitions, [3]string{"", "", string(state)})
		for _, later := range fsm.States() {
			if state.Before(later) { // Vault was found ahead of the checkpoint
				names.Transitions = append(names.Transitions, [3]string{string(state), "", string(later)})
			}
		}
	}
	for _, edge := range fsm.Table() {
		names.Acts = append(names.Acts, string(edge.Event))
		for _, from := range edge.From {
			names.Transitions = append(names.Transitions, [3]string{string(from), string(edge.Event), string(edge.To)})
		}
	}
	return names
}
