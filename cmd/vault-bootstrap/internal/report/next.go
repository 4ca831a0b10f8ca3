package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Now is what the servers answer at this moment.
type Now struct {
	// State is what most needs attention: 'sealed', 'uninitialized', 'no answer' and so on; 'unsealed'
	// or, if it was looked into, the state of the machine, when all replicas are open.
	State string `json:"state"`
	// Replicas counts them by what they are.
	Replicas map[string]int `json:"replicas"`
	// Text is all of it in one line.
	Text string `json:"text"`
}

// attention is what a replica can be, in the order in which it needs attention.
var attention = [...]string{
	string(fsm.Sealed), string(fsm.NotInitialized), string(fsm.NoAnswer), string(fsm.Removed), string(fsm.StandbyCutOff), string(fsm.DRSecondary),
}

// NowOf returns what replicas are. inside is the state of the machine, if it was looked at.
func NowOf(replicas fsm.Replicas, inside fsm.State) *Now {
	if len(replicas) == 0 {
		return nil
	}
	open := string(fsm.Unsealed)
	if !inside.Before(fsm.Unsealed) {
		open = string(inside)
	}
	now := &Now{Replicas: map[string]int{}}
	for _, replica := range replicas {
		what := open
		if slices.Contains(attention[:], string(replica.Health)) {
			what = string(replica.Health)
		}
		now.Replicas[what]++
	}
	var parts []string
	for _, what := range append(attention[:len(attention):len(attention)], open) {
		switch n := now.Replicas[what]; {
		case n == 0:
		case len(replicas) == 1:
			parts = append(parts, what)
		default:
			parts = append(parts, fmt.Sprintf("%s (%d of %d)", what, n, len(replicas)))
		}
		if now.State == "" && len(parts) > 0 {
			now.State = what
		}
	}
	now.Text = strings.Join(parts, ", ")
	return now
}

// Next is what a run would do, and how it would end.
type Next struct {
	// Text is all of it in one line.
	Text string `json:"text"`
	// Command does it; empty if it would not get far.
	Command string `json:"command,omitempty"`
	// Events are the events that it would bring about, in order.
	Events []string `json:"events,omitempty"`
	// ExitCode is the exit code of a run; nil if not everything was looked at.
	ExitCode *int `json:"exit_code,omitempty"`
	// Error is why it would not reach its goal.
	Error *nextError `json:"error,omitempty"`
}

type nextError struct {
	Kind    string `json:"kind"`
	Name    string `json:"name,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// command is how a run is started.
const command = "vault-bootstrap run"

// NextOf returns what a run would do. whole is whether everything was looked at that a run looks at,
// and not only the checkpoint and the health of the servers.
func NextOf(f fsm.Forecast, replicas fsm.Replicas, whole bool) *Next {
	next := &Next{}
	for _, event := range f.Events {
		next.Events = append(next.Events, string(event))
	}
	if whole {
		code := 0
		if f.Err != nil {
			code = ExitCode(f.Err)
		}
		next.ExitCode = &code
	}
	if f.Err != nil {
		next.fails(f.Err)
		return next
	}
	does := slices.Clone(next.Events)
	if f.Tends {
		lagging := len(replicas.ToJoin()) + len(replicas.ToUnseal())
		does = append([]string{fmt.Sprintf("join or unseal %d of %d replicas", lagging, len(replicas))}, does...)
	}
	switch {
	case len(does) > 0:
		next.Command = command
		next.Text = command + ": " + strings.Join(does, ", ")
	case whole:
		next.Text = "nothing is left to do"
	default:
		next.Text = "nothing, as far as the checkpoint and the servers' health show; --exit-code looks inside, and 'vault-bootstrap plan' compares with the seed"
	}
	return next
}

// fails describes a run that does not reach its goal.
func (n *Next) fails(err error) {
	kind, verb := fault.KindOf(err), "stop"
	switch kind {
	case fault.Transient:
		verb, n.Command = "wait", command
	case fault.Partial:
		verb, n.Command = "end", command
	}
	n.Error = &nextError{kind.String(), fault.NameOf(err), err.Error(), fault.RemedyOf(err)}
	n.Text = fmt.Sprintf("a run would %s: %s (exit code %d)", verb, err, ExitCode(err))
}
