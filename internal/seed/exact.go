package seed

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// same reports whether shown, as Vault returns it, is what o has in field.
func (o Object) same(field string, want, shown any) bool {
	if o.how.exact {
		return value.Identical(value.Reveal(want), shown)
	}
	return value.Same(field, want, shown)
}

// surplus returns the names of what Vault shows and o, which is written whole, has not.
func (o Object) surplus(shown map[string]any) (names []string) {
	if !o.how.whole {
		return nil
	}
	for name := range shown {
		if _, ours := o.Data[name]; !ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
