package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// Ending is how a run that applied a plan would end, if not well.
type Ending struct {
	// Code is the exit code, Kind the kind of the failure, and Name its name; empty for those that
	// have none.
	Code            int
	Kind, Name      string
	Message, Remedy string
	// Stops is whether the run would write nothing, or not all of the plan. Otherwise it would write
	// what can be written, or wait.
	Stops bool
}

// line returns the ending in one line. Errors without a name are given in full.
func (e Ending) line() string {
	verb := "end"
	if e.Stops {
		verb = "stop"
	}
	return fmt.Sprintf("Run would %s: %s (exit code %d).", verb, strings.TrimSuffix(escape(e.Message), "."), e.Code)
}

// Uncompared returns a plan for a Vault that cannot be compared with: everything is to be created. why
// says why it cannot be, in a sentence.
func Uncompared(objects []object.Object, why string) *Plan {
	plan := &Plan{NotCompared: why}
	for _, o := range objects {
		plan.Changes = append(plan.Changes, Change{Object: o, Stage: o.Stage, Action: Create, Fields: allFields(o)})
	}
	plan.sort()
	return plan
}

// sort puts the changes into the order in which they are made.
func (p *Plan) sort() {
	slices.SortFunc(p.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Object.Order, b.Object.Order), cmp.Compare(a.Object.ID, b.Object.ID))
	})
}

// mostNamed is how many objects an error names.
const mostNamed = 5

// Unwritable returns an error that names the objects that a run would not write, because the server
// does not have them or some of their fields; nil if there are none. The run would write all others.
func (p *Plan) Unwritable() error {
	var ids []string
	for _, c := range p.Changes {
		if c.Action != None && (c.ServerWide || len(c.Unknown) > 0) {
			ids = append(ids, c.Object.ID.String())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	named := strings.Join(ids[:min(len(ids), mostNamed)], ", ")
	if more := len(ids) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fault.Part(errors.New("objects that this server does not take as they are would not be written: "+named),
		"Correct them in the seed: the plan says what is wrong with each.")
}
