package seed

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Digest returns "sha256:" and the digest of what the seed declares, whatever the
// order, the files and the comments. References count as written, and sensitive
// texts count only as being there: the digest is public, and a digest over a
// password would let everyone try passwords. A change of such a text is found by its
// keyed hash instead.
func (s *Seed) Digest() string {
	objects := slices.Clone(s.objects)
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.ID, b.ID) })
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	// Encoding cannot fail: there are texts, numbers, truths, lists and mappings only.
	add := func(what string, value any) { _ = encoder.Encode([]any{what, value}) }
	for _, o := range objects {
		add(string(o.ID), canonicalOf(o))
	}
	if s.prune.Owned || len(s.prune.tombstones) > 0 {
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

// digest returns what counts of the section harden. Lists are sets there.
func (h Harden) digest() any {
	set := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	exceptions := slices.SortedFunc(slices.Values(h.Exceptions), func(a, b HardenException) int {
		return cmp.Or(cmp.Compare(a.Control, b.Control), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Expires, b.Expires))
	})
	return []any{h.Profile, set(h.Require), set(h.Advise), set(h.Fix), h.Limits, exceptions}
}

// canonicalOf returns what counts of o: its fields, and how it is brought about.
func canonicalOf(o Object) any {
	parts := map[string]any{"type": o.Type, "data": canonical(o.Data, o.how.hushed)}
	set := func(name string, value any, there bool) {
		if there {
			parts[name] = value
		}
	}
	set("extra", canonical(o.how.extra, o.how.hushed), len(o.how.extra) > 0)
	set("write", o.how.write, o.how.write != "")
	set("once", true, o.how.once)
	set("rotate", o.how.rotate, o.how.rotate != "")
	if o.how.saveTo != nil {
		parts["save_to"] = []any{o.how.saveTo.path, o.how.saveTo.wrapped}
	}
	if o.isRequest() {
		parts["request"] = []any{o.order, o.how.deletes, o.how.unless.path, o.how.unless.field, canonical(o.how.unless.value, false)}
	}
	return parts
}

// canonical returns value with references as they are written. With hide no text in it
// counts, but names and references do.
func canonical(v any, hide bool) any {
	switch v := v.(type) {
	case value.Template:
		return map[string]any{"reference": v.Calls(hide)}
	case value.Generator: // how it is made is no secret
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
