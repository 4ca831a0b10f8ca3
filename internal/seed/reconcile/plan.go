package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// NewPlan reads what is live and returns the difference to the goal. It writes nothing.
//
// When a difference cannot be put right, it returns the plan and a terminal fault.
// A mount or a reference that is neither declared nor there is a fault of kind
// fault.Seed; an error of Vault is returned as it is.
func NewPlan(ctx context.Context, api Reader, goal Goal) (*Plan, error) {
	seen, err := observe(ctx, api, goal)
	if err != nil {
		return nil, err
	}
	// A policy's text is always shown as it was written.
	plan := &Plan{memory: goal.Memory, known: &echoes{known: map[string]bool{"policy/policy": true}}, words: &vocabulary{api: api}}
	plan.Changes = make([]Change, 0, len(seen.objects))
	for i, o := range seen.objects {
		plan.add(o, seen.seen[i])
	}
	if err := plan.checkAnswers(); err != nil {
		return nil, err
	}
	if err := plan.withPasswordPolicies(ctx, seen.reads, seen.objects); err != nil {
		return nil, err
	}
	if err := plan.findUnknown(ctx, plan.words, seen.mounted); err != nil {
		return nil, err
	}
	if err := plan.prune(ctx, seen.reads, goal); err != nil {
		return nil, err
	}
	slices.SortFunc(plan.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Object.Order, b.Object.Order), cmp.Compare(a.Object.ID, b.Object.ID))
	})
	return plan, plan.refused()
}

// add plans what to do with o.
func (p *Plan) add(o object.Object, s observation) {
	change := Change{Object: o, Stage: o.Stage}
	hashes := p.memory.Hashes[string(o.ID)]
	switch {
	case o.IsRequest():
		p.request(&change, s)
	case !s.there && (!s.blind || len(hashes) == 0):
		change.Action = Create
		change.unreadable = s.blind
		change.Fields = allFields(o)
	case o.Traits.Once:
		change.hashes = hashes
		p.rotation(&change)
	case o.IsAudit() || o.IsMount():
		change.Fields, p.Refusals = tableDiff(o, s.data, p.Refusals)
		change.Stage = object.StageTune
	case s.matches:
		change.matches = true
		p.known.learnAll(o)
	default:
		p.known.learn(o, s.data)
		change.key = s.data[o.Traits.Key]
		change.hashes = p.memory.of(o, s.data)
		change.Fields, change.Unseen, change.Blind = documentDiff(o, s.data, p.memory, change.hashes)
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

// request plans a request: it is sent when its condition does not hold, or, if it has
// none, when it was not sent as it is now.
func (p *Plan) request(change *Change, s observation) {
	o := change.Object
	change.hashes = p.memory.Hashes[string(o.ID)]
	if o.Traits.Unless.Path == "" {
		before := p.memory.Hashes[string(o.ID)][sentField]
		s.there = before != "" && (p.memory.HashKey.Empty() || before == p.memory.sent(o))
	}
	if !s.there {
		change.Action = Create
		change.Fields = allFields(o)
	}
}

// sent returns what to remember of a request that was sent.
func (m Memory) sent(o object.Object) string {
	return m.hash(o.ID, sentField, []any{o.Traits.Write, o.Traits.Deletes, o.Data})
}

// rotation plans to rotate the credential of an object that there is, once.
func (p *Plan) rotation(change *Change) {
	if change.Object.Traits.Rotate != "" && change.hashes[rotatedField] == "" && !p.memory.HashKey.Empty() {
		change.Fields = []FieldChange{{Field: rotatedField, Old: false, New: true}}
	}
}

// checkAnswers tells requests whose fields come from the answer of one that is not
// sent in this run.
func (p *Plan) checkAnswers() error {
	sent := map[string]bool{}
	for _, c := range p.Changes {
		if c.Object.IsRequest() && c.Action == Create {
			sent[c.Object.Namespace+strings.TrimPrefix(string(c.Object.ID), c.Object.Namespace+"request:")] = true
		}
	}
	problems := &value.Problems{}
	for _, c := range p.Changes {
		if c.Action != Create || !c.Object.IsRequest() {
			continue
		}
		value.EachPart(c.Object.Data, func(called value.Part, at value.Position) {
			if called.Call == value.CallAnswer && !sent[c.Object.Namespace+called.Args[0]] {
				problems.Add(at, "the request %q is not needed any more, so that its answer cannot be had", called.Args[0])
			}
		})
	}
	return problems.Err("Give both requests the same condition ('unless').")
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

// allFields returns the fields of an object that is to be created.
func allFields(o object.Object) []FieldChange {
	var fields []FieldChange
	flat := object.Flatten(o)
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		fields = append(fields, fieldChange(o, name, nil, flat[name]))
	}
	return fields
}

func fieldChange(o object.Object, name string, shown, want any) FieldChange {
	if o.Traits.Redacted || value.Hidden(want) || value.Hidden(value.ProtectValue(shown, value.IsSensitive(value.Leaf(name)))) {
		return FieldChange{Field: name, Sensitive: true}
	}
	return FieldChange{Field: name, Old: shown, New: value.Reveal(want)}
}
