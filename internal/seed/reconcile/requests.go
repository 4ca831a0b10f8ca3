package reconcile

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// sentField is the name under which it is remembered that a request was sent, rotatedField that a
// credential was rotated, and madeField that an unreadable object was created. No field of Vault
// has such a name.
const (
	sentField    = "(sent)"
	rotatedField = "(rotated)"
	madeField    = "(made)"
)

// request plans a request: it is sent if its condition does not hold or, if it has none, if it was
// not sent in its current form.
func (p *Plan) request(change *Change, s observation) {
	o := change.Object
	change.hashes = p.memory.Hashes[string(o.ID)]
	if o.Traits.Unless.Path == "" {
		before := p.memory.Hashes[string(o.ID)][sentField]
		s.there = before != "" && (p.memory.HashKey.Empty() || before == p.memory.sent(o, o))
	}
	if !s.there {
		change.Action = Create
		change.Fields = allFields(o)
	}
}

// sent returns what to remember of a request that was sent as o.
func (p *Plan) sent(o object.Object) string {
	at := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Object.ID == o.ID })
	return p.memory.sent(p.Changes[at].Object, o)
}

// sent returns what to remember of a request, given as declared and as sent. Of an answer to another
// request the reference counts: the answer is known only in the run that sends both.
func (m Memory) sent(declared, o object.Object) string {
	return m.hash(o.ID, sentField, []any{o.Traits.Write, o.Traits.Deletes, value.WithoutAnswers(declared.Data, o.Data)})
}

// rotation plans to rotate the credential of an existing object, once.
func (p *Plan) rotation(change *Change) {
	if change.Object.Traits.Rotate != "" && change.hashes[rotatedField] == "" && !p.memory.HashKey.Empty() {
		change.Fields = []FieldChange{{Field: rotatedField, Old: false, New: true}}
	}
}

// checkAnswers reports requests that use the answer to one that is not sent in this run.
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
				problems.Add(at, "the request %q is no longer needed, so there is no answer to refer to", called.Args[0])
			}
		})
	}
	return problems.Err("Give both requests the same condition ('unless').")
}

// conditionHolds reports whether the condition of a request holds in a namespace.
func conditionHolds(ctx context.Context, r reader, ns string, c object.Condition) (bool, error) {
	answer, found, err := r.Read(ctx, ns+c.Path)
	switch httpstatus.Of(err) {
	case http.StatusBadRequest, http.StatusMethodNotAllowed: // Vault's way of saying 'not configured'
		return false, nil
	}
	if err != nil || !found || c.Field == "" {
		return found, err
	}
	v := value.Dig(answer, c.Field)
	if c.Value == nil {
		return !value.IsEmpty(v), nil
	}
	return v != nil && value.Same(value.Leaf(c.Field), c.Value, v), nil
}
