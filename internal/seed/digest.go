package seed

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
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
	for _, o := range objects {
		// Encoding cannot fail: a Data holds texts, numbers, lists and mappings only.
		_ = encoder.Encode([]any{o.ID, canonicalOf(o)})
	}
	if s.prune.Owned || len(s.prune.tombstones) > 0 {
		_ = encoder.Encode(s.prune.digest())
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// canonicalOf returns what counts of o.
func canonicalOf(o Object) any {
	if o.how.hushed {
		return canonical(secret.Value{})
	}
	if o.isRequest() {
		return []any{canonical(o.Data), o.how.write, o.how.deletes, o.how.unless.path, o.how.unless.field, canonical(o.how.unless.value)}
	}
	return canonical(o.Data)
}

// canonical returns value with references as they are written.
func canonical(value any) any {
	switch value := value.(type) {
	case template:
		return map[string]string{"reference": value.source}
	case secret.Value, generator:
		return map[string]string{"sensitive": ""}
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = canonical(inner)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = canonical(inner)
		}
		return out
	default:
		return value
	}
}
