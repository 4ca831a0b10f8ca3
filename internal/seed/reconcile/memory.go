package reconcile

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Memory is what is remembered of what was applied last, for the fields whose value
// Vault does not show.
type Memory struct {
	// Hashes holds keyed hashes: object ID → field → hash.
	Hashes map[string]map[string]string
	// HashKey keys the hashes: without it nobody can try passwords against them.
	// An empty key remembers nothing, so that such fields count as changed.
	HashKey secret.Value
	// Lost is set by who has no access to what earlier runs remembered: then a field
	// that Vault does not show counts as not compared, not as changed.
	Lost bool
}

// hash returns the keyed hash of value as field of the object id.
func (m Memory) hash(id object.ID, field string, v any) string {
	mac := hmac.New(sha256.New, []byte(m.HashKey.Reveal()))
	// Encoding cannot fail: values are texts, numbers, lists and mappings. Lengths
	// in front keep two fields from making one text.
	encoded, _ := json.Marshal(value.Reveal(v))
	for _, piece := range [][]byte{[]byte(id), []byte(field), encoded} {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(piece)))
		mac.Write(piece)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// unseen returns what to remember of a field that Vault does not show.
func (m Memory) unseen(id object.ID, field string, want any) string {
	return m.hash(id, field, want)
}

// otherwise returns what to remember of a field that Vault shows in another form
// than it was given, such as a mask: both forms, so that a change of either is found.
func (m Memory) otherwise(id object.ID, field string, want, shown any) string {
	return m.hash(id, field, want) + "." + m.hash(id, field, shown)
}

// remembered returns the hash of a field, "" when there is none.
func (m Memory) remembered(id object.ID, field string) string {
	if m.HashKey.Empty() {
		return ""
	}
	return m.Hashes[string(id)][field]
}

// of returns what to remember of o, given what Vault shows of it.
func (m Memory) of(o object.Object, shown map[string]any) map[string]string {
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
			hashes[field] = m.otherwise(o.ID, field, want, v)
		case !value.IsEmpty(value.Reveal(want)):
			hashes[field] = m.unseen(o.ID, field, want)
		}
	}
	return hashes
}

// echoes knows which fields of an endpoint Vault shows as they were written. It
// saves reading back every object of 500 to learn the same thing.
type echoes struct {
	mu    sync.Mutex
	known map[string]bool
}

// learn takes in what Vault shows of o.
func (e *echoes) learn(o object.Object, shown map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field, want := range o.Data {
		if value, there := shown[field]; there && o.Same(field, want, value) {
			e.known[o.Endpoint+"/"+field] = true
		}
	}
}

// learnAll takes in that Vault shows every field of o as it was written.
func (e *echoes) learnAll(o object.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field := range o.Data {
		e.known[o.Endpoint+"/"+field] = true
	}
}

// covers reports whether all fields of o need no reading back: they are known to
// be shown, or known never to be.
func (e *echoes) covers(o object.Object) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for field, want := range o.Data {
		if !value.IsSensitive(field) && !value.IsEmpty(value.Reveal(want)) && !e.known[o.Endpoint+"/"+field] {
			return false
		}
	}
	return true
}

// clone returns a copy of hashes that can be changed.
func clone(hashes map[string]map[string]string) map[string]map[string]string {
	out := maps.Clone(hashes)
	if out == nil {
		out = map[string]map[string]string{}
	}
	return out
}

// sentField is the name under which it is remembered that a request was sent,
// rotatedField that a credential was rotated, and madeField that an object was made that
// cannot be read. No field of Vault is called so.
const (
	sentField    = "(sent)"
	rotatedField = "(rotated)"
	madeField    = "(made)"
)
