package fsm

import (
	"context"
	"errors"
	"fmt"

	looplab "github.com/looplab/fsm"
)

// machine fires one event. A new one is created for each event, since looplab/fsm v1.0.3 refuses
// every further event once a context was cancelled at the commit.
type machine struct {
	inner *looplab.FSM
}

// newMachine returns a machine in state from. act runs before the state is left
// and can veto; entered runs after the new state was entered and cannot.
func newMachine(from State, act func() error, entered func(Transition) error) *machine {
	return &machine{inner: looplab.NewFSM(string(from), descriptions(), looplab.Callbacks{
		// Only the two generic callbacks are used: looplab/fsm silently drops keys that it does not
		// know, so a misspelled one would never run.
		"before_event": func(_ context.Context, e *looplab.Event) {
			if err := act(); err != nil {
				e.Cancel(err)
			}
		},
		"enter_state": func(_ context.Context, e *looplab.Event) {
			e.Err = entered(Transition{From: State(e.Src), Event: Event(e.Event), To: State(e.Dst)})
		},
	})}
}

// fire runs event. It returns the act's error if the act failed, and the error of
// entered if the state was reached but could not be recorded.
func (m *machine) fire(event Event) error {
	// This context is for the commit alone, which must not be cut off between the act and its
	// record. The act has a context of its own.
	err := m.inner.Event(context.Background(), string(event))
	if canceled, ok := errors.AsType[looplab.CanceledError](err); ok && canceled.Err != nil {
		return canceled.Err
	}
	return err
}

func descriptions() []looplab.EventDesc {
	var list []looplab.EventDesc
	for _, edge := range Table() {
		from := make([]string, 0, len(edge.From))
		for _, state := range edge.From {
			from = append(from, string(state))
		}
		list = append(list, looplab.EventDesc{Name: string(edge.Event), Src: from, Dst: string(edge.To)})
	}
	return list
}

// The formats of Graph.
const (
	Mermaid  = "mermaid"
	Graphviz = "graphviz"
)

// Graph draws the machine in the given format.
func Graph(format string) (string, error) {
	inner := looplab.NewFSM(string(Uninitialized), descriptions(), nil)
	switch format {
	case Mermaid:
		return looplab.VisualizeForMermaidWithGraphType(inner, looplab.StateDiagram)
	case Graphviz:
		return looplab.Visualize(inner), nil
	default:
		return "", fmt.Errorf("unknown graph format %q: must be %s or %s", format, Mermaid, Graphviz)
	}
}
