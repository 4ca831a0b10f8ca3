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
	// Prune says what may be deleted of Owned, which the ledger says we created. What is in Keep is
	// never deleted.
	Prune object.Prune
	Owned []object.ID
	Keep  []object.ID
	// Seen, if not nil, returns objects that need not be read. It is called once, after the
	// listings, and may block.
	Seen func() Seen
	// Unread, if not nil, says which objects the token may not read yet. They are planned as if they
	// were not there.
	Unread func(object.Object) bool
	// Parallelism is how many requests run at a time; less than 1 means one.
	Parallelism int
}

// unread reports whether the token may not read o yet.
func (g Goal) unread(o object.Object) bool { return g.Unread != nil && g.Unread(o) }

// Seen are objects that matched their declaration a short while ago.
type Seen map[object.ID]bool

// FieldChange is one difference between the seed and what is live.
type FieldChange struct {
	Field string
	// Old is what Vault shows, or nil; New is what the seed declares. Both are nil if Sensitive.
	Old, New any
	// Sensitive fields are reported only as changed.
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
	// Unseen names the fields that were compared by keyed hash, because Vault does not show their
	// values.
	Unseen []string
	// Blind names the fields that could not be compared without the key of the hashes.
	Blind []string
	// Unknown names the fields that Vault does not recognize, with suggestions. Such an object is
	// not written.
	Unknown []string
	// ServerWide is set for an object in a namespace that the server has only in its root namespace.
	// It is not written.
	ServerWide bool
	// Holds is what we have created in a mount or namespace that is deleted, and is deleted with
	// it.
	Holds []object.ID
	// namespace is the path of a namespace that is deleted.
	namespace string
	// key identifies the object to update, if the path does not.
	key any
	// renames is the alias that an update gives another name; empty for other changes.
	renames object.ID
	// hashes is what to remember when nothing is written.
	hashes map[string]string
	// unseen says why an object to create was not seen.
	unseen unseen
	// matches is set if Vault shows every field as the object has it.
	matches bool
}

// unseen says why an object was not seen.
type unseen int

const (
	// neverShown: Vault cannot show it.
	neverShown unseen = iota + 1
	// notReadYet: our login may not read it before its policy has grown.
	notReadYet
)

// Unread reports whether the object was not read, since the token may not read it yet.
func (c Change) Unread() bool { return c.unseen == notReadYet }

// Refusal is a difference that cannot be changed in place, or not by API.
type Refusal struct {
	Object object.Object
	// Reason says what differs and why it cannot be changed, Remedy what a person can do.
	Reason, Remedy string
	// Stanza declares the object in the server's configuration, if it has to be declared there.
	Stanza string
}

// Fix is a call that repairs a control, as the section harden of the seed requests.
type Fix struct {
	// Control is its ID, and Seen what its check has found.
	Control, Seen string
	// Call is the method and the path; empty if it is not known whether one is needed.
	Call string
}

// Plan is the difference between desired objects and what is live.
type Plan struct {
	// Changes holds one entry per object, in the order of stages, then IDs.
	Changes []Change
	// Refusals holds what cannot be applied. A plan with refusals is not applied at all.
	Refusals []Refusal
	// Left holds what the seed no longer names but is kept.
	Left []Left
	// Forget holds what is in the ledger but no longer exists.
	Forget []object.ID
	// Sealed holds the sealed namespaces, whose objects are in no change.
	Sealed []Sealed
	// Fixes holds the fixes of controls, for printing the plan. Apply does not make them.
	Fixes []Fix
	// Warnings say what a person should know before the plan is applied.
	Warnings []string
	// NotCompared says why Vault was not compared with; empty if it was.
	NotCompared string
	// Unproven says why it is not known how a run would end; empty if it is.
	Unproven string
	// Ending is how a run would end, if not well; nil otherwise. It is for printing the plan.
	Ending *Ending

	memory Memory
	known  *echoes
	words  *vocabulary
}

// Only returns the part of a plan that concerns the objects for which keep is true: without
// deletions, and without what it knows of other objects.
func (p *Plan) Only(keep func(object.Object) bool) *Plan {
	part := &Plan{Warnings: p.Warnings, memory: p.memory, known: p.known, words: p.words}
	for _, c := range p.Changes {
		if c.Action != Delete && keep(c.Object) {
			part.Changes = append(part.Changes, c)
		}
	}
	for _, r := range p.Refusals {
		if keep(r.Object) {
			part.Refusals = append(part.Refusals, r)
		}
	}
	return part
}

// Remember sets the key of the hashes of a plan that was made without one: the first run that
// writes generates the key.
func (p *Plan) Remember(key secret.Value) {
	if p.memory.HashKey.Empty() {
		p.memory.HashKey = key
	}
}

// Empty reports whether there is nothing to write.
func (p *Plan) Empty() bool {
	return len(p.Refusals) == 0 && len(p.Sealed) == 0 && count(p.Fixes) == 0 && !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action != None })
}

// count returns how many calls are made for controls.
func count(fixes []Fix) int {
	n := 0
	for _, fix := range fixes {
		if fix.Call != "" {
			n++
		}
	}
	return n
}

// Seen returns the objects that match their declaration, for another plan soon after this one. It
// is empty if the plan sends requests, which may change anything.
func (p *Plan) Seen() Seen {
	seen := Seen{}
	for _, c := range p.Changes {
		switch {
		case c.Object.IsRequest() && c.Action != None:
			return nil
		case c.matches:
			seen[c.Object.CanonicalID()] = true
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
	if n := count(p.Fixes); n > 0 {
		text += fmt.Sprintf(", %d to fix", n)
	}
	if n := len(p.Refusals); n > 0 {
		text += fmt.Sprintf(", %d refused", n)
	}
	if n := len(p.Sealed); n > 0 {
		text += fmt.Sprintf(", %d sealed namespaces skipped", n)
	}
	return text
}
