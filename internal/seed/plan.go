package seed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Action is what a plan does with an object.
type Action int

// The actions.
const (
	None Action = iota
	Create
	Update
	Delete
)

// String returns the action as machines read it.
func (a Action) String() string { return [...]string{"none", "create", "update", "delete"}[a] }

// Goal is what a plan is made for.
type Goal struct {
	Objects []object.Object
	Memory  Memory
	// Prune says what may be deleted of Owned: what the ledger says we created. What
	// is in Keep never is.
	Prune object.Prune
	Owned []object.ID
	Keep  []object.ID
	// Seen are objects that need not be read.
	Seen Seen
	// Parallelism is how many requests run at a time; less than 1 means one.
	Parallelism int
}

// Seen are objects that were seen to be as they are declared, a short while ago.
type Seen map[object.ID]bool

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
	Object object.Object
	Action Action
	// Stage is when it is done.
	Stage object.Stage
	// Fields holds what differs, sorted by name; all fields of what is created.
	Fields []FieldChange
	// Unseen names the fields that were compared by keyed hash, because Vault does
	// not show what it was given.
	Unseen []string
	// Blind names the fields that could not be compared, for want of the key of the hashes.
	Blind []string
	// Unknown names the fields that Vault does not know, with what may be meant. Such an
	// object is not written.
	Unknown []string
	// Holds is what we have made in a mount or namespace that is deleted, and goes with it.
	Holds []object.ID
	// key is what tells Vault which object to update, where the path does not.
	key any
	// hashes is what to remember when nothing is written.
	hashes map[string]string
	// unreadable is set for what is made and Vault has no way of showing.
	unreadable bool
	// matches is set where Vault shows every field as the object has it.
	matches bool
}

// Refusal is a difference that Vault cannot put right in place.
type Refusal struct {
	Object object.Object
	// Reason says what differs and why it stays so, WayOut what a person can do.
	Reason, WayOut string
}

// Fix is a call that puts a control right, as the section harden of the seed asks for.
type Fix struct {
	// Control is its ID, Seen what was seen of it.
	Control, Seen string
	// Call is the method and the path; empty if it is not known whether one is needed.
	Call string
}

// Plan is the difference between desired objects and what is live.
type Plan struct {
	// Changes holds one entry per object, in the order of stages, then IDs.
	Changes []Change
	// Refusals holds what cannot be applied. A plan with any is not applied at all.
	Refusals []Refusal
	// Left holds what the seed no longer names and stays all the same.
	Left []Left
	// Forget holds what the ledger names and is gone.
	Forget []object.ID
	// Fixes holds what is done about controls, for who shows the plan: applying a seed
	// does nothing about them.
	Fixes []Fix

	memory Memory
	known  *echoes
	words  *vocabulary
}

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

// Remember has a plan that was made without a key for the hashes remember with one:
// the key is made by the first run that writes.
func (p *Plan) Remember(key secret.Value) {
	if p.memory.HashKey.Empty() {
		p.memory.HashKey = key
	}
}

// add plans what to do with o.
func (p *Plan) add(o object.Object, s sight) {
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
func (p *Plan) request(change *Change, s sight) {
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

// Empty reports whether there is nothing to write.
func (p *Plan) Empty() bool {
	return len(p.Refusals) == 0 && p.fixes() == 0 && !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action != None })
}

// fixes returns how many calls are made for controls.
func (p *Plan) fixes() int {
	n := 0
	for _, fix := range p.Fixes {
		if fix.Call != "" {
			n++
		}
	}
	return n
}

// Seen returns the objects that Vault shows as they are declared, for a plan that is made
// soon after this one. It holds nothing when the plan sends requests: they may have changed
// anything.
func (p *Plan) Seen() Seen {
	seen := Seen{}
	for _, c := range p.Changes {
		switch {
		case c.Object.IsRequest() && c.Action != None:
			return nil
		case c.matches:
			seen[c.Object.Place()] = true
		}
	}
	return seen
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
	text := fmt.Sprintf("%d to create, %d to update, ", p.Count(Create), p.Count(Update))
	if n := p.Count(Delete); n > 0 {
		text += fmt.Sprintf("%d to delete, ", n)
	}
	text += fmt.Sprintf("%d unchanged", p.Count(None))
	if n := p.fixes(); n > 0 {
		text += fmt.Sprintf(", %d to fix", n)
	}
	if n := len(p.Refusals); n > 0 {
		text += fmt.Sprintf(", %d refused", n)
	}
	return text
}

// withPasswordPolicies returns an error that names what is to be generated with a
// password policy that is neither declared nor there.
func (p *Plan) withPasswordPolicies(ctx context.Context, api reader, objects []object.Object) error {
	declared := declaredIDs(objects)
	problems := &value.Problems{}
	var trouble error
	for _, c := range p.Changes {
		if c.Action == None {
			continue
		}
		value.EachGenerator(c.Object.Data, func(g value.Generator) {
			path := c.Object.Namespace + "sys/policies/password/" + g.Policy
			if g.Policy == "" || declared[object.ID(path)] || trouble != nil {
				return
			}
			_, found, err := api.Read(ctx, path)
			switch {
			case err != nil:
				trouble = fmt.Errorf("reading %s: %w", path, err)
			case !found:
				problems.Add(c.Object.Position, "%s is generated with the password policy %q, which is neither declared nor there", c.Object.ID, g.Policy)
			}
		})
	}
	if trouble != nil {
		return trouble
	}
	return problems.Err("Declare the password policy in the seed, or correct its name.")
}
