package reconcile

import (
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
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
	// Seen, if not nil, returns objects that need not be read. It is called once, after
	// the listings, and may wait.
	Seen func() Seen
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

// Remember has a plan that was made without a key for the hashes remember with one:
// the key is made by the first run that writes.
func (p *Plan) Remember(key secret.Value) {
	if p.memory.HashKey.Empty() {
		p.memory.HashKey = key
	}
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
