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
		_ = encoder.Encode([]any{o.ID, canonical(o.Data)})
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// canonical returns value with references as they are written.
func canonical(value any) any {
	switch value := value.(type) {
	case template:
		return map[string]string{"reference": value.source}
	case secret.Value:
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
