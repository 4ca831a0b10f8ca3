package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// NewPlan reads what is live and returns the difference from the goal. It writes nothing.
//
// If a difference cannot be changed in place, or not by API, it returns the plan and a terminal
// fault. A mount or a reference that is neither declared nor there is a fault of kind fault.Seed;
// an error of Vault is returned as it is.
func NewPlan(ctx context.Context, api Reader, goal Goal) (*Plan, error) {
	seen, err := observe(ctx, api, goal)
	if err != nil {
		return nil, err
	}
	// A policy's text is always shown as written.
	plan := &Plan{memory: goal.Memory, known: &echoes{known: map[string]bool{"policy/policy": true}}, words: &vocabulary{api: api}}
	plan.Changes = make([]Change, 0, len(seen.objects))
	for i, o := range seen.objects {
		if seen.sealed.holds(o.Namespace) {
			seen.sealed[o.Namespace]++
			continue
		}
		plan.add(o, seen.seen[i])
	}
	if err := plan.auditByConfiguration(ctx, seen.reads); err != nil {
		return nil, err
	}
	plan.Sealed = seen.sealed.list()
	if slices.ContainsFunc(plan.Changes, func(c Change) bool { return c.Object.IsRequest() }) {
		if err := plan.checkAnswers(); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(plan.Changes, Change.generates) {
		if err := plan.withPasswordPolicies(ctx, seen.reads, seen.objects); err != nil {
			return nil, err
		}
	}
	if err := plan.findPlugins(ctx, seen.reads); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(plan.Changes, Change.doubtful) {
		if err := plan.findUnknown(ctx, plan.words, goal.Parallelism, seen.mounted); err != nil {
			return nil, err
		}
	}
	if err := plan.findRenamed(ctx, seen.reads, goal); err != nil {
		return nil, err
	}
	if goal.Prune.Owned {
		if err := plan.prune(ctx, seen.reads, goal); err != nil {
			return nil, err
		}
	}
	plan.sort()
	return plan, refused(plan.Refusals)
}

// add plans what to do with o.
func (p *Plan) add(o object.Object, s observation) {
	change := Change{Object: o, Stage: o.Stage}
	hashes := p.memory.Hashes[string(o.ID)]
	switch {
	case s.serverWide:
		change.Action, change.ServerWide = Create, true
		change.Fields = allFields(o)
	case s.unread:
		change.Action, change.unseen = Create, notReadYet
		change.Fields = allFields(o)
	case o.IsRequest():
		p.request(&change, s)
	case !s.there && (!s.blind || len(hashes) == 0):
		change.Action = Create
		if s.blind {
			change.unseen = neverShown
		}
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
		change.hashes = p.memory.hashesOf(o, s.data)
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

// allFields returns the fields of an object that is to be created.
func allFields(o object.Object) []FieldChange {
	var fields []FieldChange
	flat := o.Data
	if o.IsMount() || o.IsAudit() {
		flat = object.Flatten(o)
	}
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

// doubtful reports whether c writes a field that Vault has not shown and can be asked about.
func (c Change) doubtful() bool {
	return c.Object.Checked() && (c.Action == Create || c.Action == Update && slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Old == nil }))
}

// generates reports whether c may write a value that is yet to be generated.
func (c Change) generates() bool { return c.Action != None && value.Pending(c.Object.Data) }

// Memory is what is remembered of the last applied values, for fields whose value Vault does not
// show.
type Memory struct {
	// Hashes holds keyed hashes: object ID → field → hash.
	Hashes map[string]map[string]string
	// HashKey is the key of the hashes: without it nobody can test passwords against them. With an
	// empty key nothing is remembered, and such fields count as changed.
	HashKey secret.Value
	// Lost is set by callers without access to what earlier runs remembered: then a field that
	// Vault does not show counts as not compared, rather than as changed.
	Lost bool
}

// hash returns the keyed hash of value as a field of the object id.
func (m Memory) hash(id object.ID, field string, v any) string {
	mac := hmac.New(sha256.New, []byte(m.HashKey.Reveal()))
	// Encoding cannot fail: values are texts, numbers, lists and mappings. The length prefixes keep
	// different pieces from hashing to the same text.
	encoded, _ := json.Marshal(value.Reveal(v))
	for _, piece := range [][]byte{[]byte(id), []byte(field), encoded} {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(piece)))
		mac.Write(piece)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// hashOfHidden returns what to remember of a field that Vault does not show.
func (m Memory) hashOfHidden(id object.ID, field string, want any) string {
	return m.hash(id, field, want)
}

// hashOfMasked returns what to remember of a field that Vault shows in another form than written,
// such as masked: both forms, so that a change of either is found.
func (m Memory) hashOfMasked(id object.ID, field string, want, shown any) string {
	return m.hash(id, field, want) + "." + m.hash(id, field, shown)
}

// remembered returns the hash of a field, or "" if there is none.
func (m Memory) remembered(id object.ID, field string) string {
	if m.HashKey.Empty() {
		return ""
	}
	return m.Hashes[string(id)][field]
}

// hashesOf returns what to remember of o, given what Vault shows of it.
func (m Memory) hashesOf(o object.Object, shown map[string]any) map[string]string {
	if m.HashKey.Empty() {
		return nil
	}
	hashes := map[string]string{}
	for field, want := range o.Data {
		v, there := shown[field]
		switch {
		case value.Pending(want):
		case there && o.Same(field, want, v):
		case there:
			hashes[field] = m.hashOfMasked(o.ID, field, want, v)
		case !value.IsEmpty(value.Reveal(want)):
			hashes[field] = m.hashOfHidden(o.ID, field, want)
		}
	}
	return hashes
}

// clone returns a copy of hashes that may be modified.
func clone(hashes map[string]map[string]string) map[string]map[string]string {
	out := maps.Clone(hashes)
	if out == nil {
		out = map[string]map[string]string{}
	}
	return out
}
