package seed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Action is what a plan does with an object.
type Action int

// The actions.
const (
	None Action = iota
	Create
	Update
)

// FieldChange is one difference between the seed and what is live.
type FieldChange struct {
	Field string
	// Old is what Vault shows, nil when it shows nothing; New is what the seed asks
	// for. Both are nil when Sensitive.
	Old, New any
	// Sensitive fields are told only as changed.
	Sensitive bool
}

// Change is what a plan does with one object.
type Change struct {
	Object Object
	Action Action
	// Stage is when it is done.
	Stage Stage
	// Fields holds what differs, sorted by name; all fields of what is created.
	Fields []FieldChange
	// Unseen names the fields that were compared by keyed hash, because Vault does
	// not show what it was given.
	Unseen []string
	// hashes is what to remember when nothing is written.
	hashes map[string]string
}

// Refusal is a difference that Vault cannot put right in place.
type Refusal struct {
	Object Object
	// Reason says what differs and why it stays so, WayOut what a person can do.
	Reason, WayOut string
}

// Plan is the difference between desired objects and what is live.
type Plan struct {
	// Changes holds one entry per object, in the order of stages, then IDs.
	Changes []Change
	// Refusals holds what cannot be applied. A plan with any is not applied at all.
	Refusals []Refusal

	memory Memory
	known  *echoes
}

// NewPlan reads what is live, at most parallelism requests at a time, and returns
// the difference to objects. It writes nothing.
//
// When a difference cannot be put right, it returns the plan and a terminal fault.
// A mount that is neither declared nor there is a fault of kind fault.Seed; an
// error of Vault is returned as it is.
func NewPlan(ctx context.Context, api API, objects []Object, memory Memory, parallelism int) (*Plan, error) {
	seen, err := observe(ctx, api, objects, parallelism)
	if err != nil {
		return nil, err
	}
	// A policy's text is always shown as it was written.
	plan := &Plan{memory: memory, known: &echoes{known: map[string]bool{"policy/policy": true}}}
	for _, o := range objects {
		plan.add(o, seen.seen[o.ID])
	}
	slices.SortFunc(plan.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Object.ID, b.Object.ID))
	})
	return plan, plan.refused()
}

// add plans what to do with o.
func (p *Plan) add(o Object, s sight) {
	change := Change{Object: o, Stage: o.Stage}
	hashes := p.memory.Hashes[string(o.ID)]
	switch {
	case !s.there && (!s.blind || len(hashes) == 0):
		change.Action = Create
		change.Fields = allFields(o)
	case o.isAudit() || o.isMount():
		change.Fields, p.Refusals = tableDiff(o, s.data, p.Refusals)
		change.Stage = StageTune
	default:
		p.known.learn(o, s.data)
		change.hashes = p.memory.of(o, s.data)
		change.Fields, change.Unseen = documentDiff(o, s.data, p.memory, change.hashes)
		p.Refusals = fixedFields(o, change.Fields, p.Refusals)
	}
	if change.Action == None {
		if len(change.Fields) > 0 {
			change.Action = Update
		} else {
			change.Stage = o.Stage
		}
	}
	p.Changes = append(p.Changes, change)
}

// refused returns an error that names what cannot be put right.
func (p *Plan) refused() error {
	if len(p.Refusals) == 0 {
		return nil
	}
	lines := make([]string, len(p.Refusals))
	ways := make([]string, 0, len(p.Refusals))
	for i, r := range p.Refusals {
		lines[i] = fmt.Sprintf("%s (%s): %s", r.Object.ID, r.Object.Position, r.Reason)
		if !slices.Contains(ways, r.WayOut) {
			ways = append(ways, r.WayOut)
		}
	}
	return fault.Stop("cannot be changed in place", fmt.Errorf("%s", strings.Join(lines, "\n")), strings.Join(ways, " "))
}

// Empty reports whether there is nothing to write.
func (p *Plan) Empty() bool {
	return len(p.Refusals) == 0 && !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action != None })
}

// Count returns how many objects have the action.
func (p *Plan) Count(action Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == action {
			n++
		}
	}
	return n
}

// Summary returns the plan in one line.
func (p *Plan) Summary() string {
	text := fmt.Sprintf("%d to create, %d to update, %d unchanged", p.Count(Create), p.Count(Update), p.Count(None))
	if n := len(p.Refusals); n > 0 {
		text += fmt.Sprintf(", %d refused", n)
	}
	return text
}
