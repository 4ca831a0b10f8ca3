package seed

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Digest returns "sha256:" and the digest of what the seed declares, regardless of the order, the
// files and the comments. References count as written, and of sensitive texts only their presence
// counts: the digest is public, and a digest of a password would let everyone guess passwords. A
// change of such a text is found by its keyed hash instead.
func (s *Seed) Digest() string {
	objects := slices.Clone(s.objects)
	slices.SortFunc(objects, func(a, b object.Object) int { return cmp.Compare(a.ID, b.ID) })
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	// Encoding cannot fail: there are texts, numbers, truths, lists and mappings only.
	add := func(what string, value any) { _ = encoder.Encode([]any{what, value}) }
	for _, o := range objects {
		add(string(o.ID), canonicalOf(o))
	}
	if s.prune.Owned || len(s.prune.Tombstones) > 0 {
		add("prune", pruneDigest(s.prune))
	}
	if s.harden.Declared() {
		add("harden", s.harden.digest())
	}
	for i, each := range s.login.methods { // tried in their order
		add("login", []any{i, canonical(each.Values, false)})
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// DigestOfNothing returns the digest of a seed that declares nothing, which earlier versions recorded
// where no seed was given.
func DigestOfNothing() string { return (&Seed{}).Digest() }

// digest returns the digested parts of the section harden. Its lists are sets.
func (h Harden) digest() any {
	set := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	exceptions := slices.SortedFunc(slices.Values(h.Exceptions), func(a, b HardenException) int {
		return cmp.Or(cmp.Compare(a.Control, b.Control), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Expires, b.Expires))
	})
	return []any{h.Profile, set(h.Require), set(h.Advise), set(h.Fix), h.Limits, exceptions}
}

// canonicalOf returns the digested parts of o: its fields, and how it is written.
func canonicalOf(o object.Object) any {
	parts := map[string]any{"type": o.Type, "data": canonical(o.Data, o.Traits.Redacted)}
	set := func(name string, value any, there bool) {
		if there {
			parts[name] = value
		}
	}
	set("extra", canonical(o.Traits.Extra, o.Traits.Redacted), len(o.Traits.Extra) > 0)
	set("write", o.Traits.Write, o.Traits.Write != "")
	set("once", true, o.Traits.Once)
	set("rotate", o.Traits.Rotate, o.Traits.Rotate != "")
	if o.Traits.SaveTo != nil {
		parts["save_to"] = []any{o.Traits.SaveTo.Path, o.Traits.SaveTo.Wrapped}
	}
	if o.IsRequest() {
		parts["request"] = []any{o.Order, o.Traits.Deletes, o.Traits.Unless.Path, o.Traits.Unless.Field, canonical(o.Traits.Unless.Value, false)}
	}
	return parts
}

// canonical returns value with references as written. With hide no text in it counts, only names
// and references.
func canonical(v any, hide bool) any {
	switch v := v.(type) {
	case value.Template:
		return map[string]any{"reference": v.Calls(hide)}
	case value.Generator: // how it is generated is not secret
		return map[string]any{"generate": []any{v.Length, v.Alphabet, v.Policy}}
	case secret.Value:
		return map[string]string{"sensitive": ""}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = canonical(inner, hide || value.IsSensitive(name))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = canonical(inner, hide)
		}
		return out
	default:
		if hide { // a number may be a PIN
			return map[string]string{"sensitive": ""}
		}
		return v
	}
}
