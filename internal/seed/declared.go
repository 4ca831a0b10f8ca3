package seed

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// Declared returns the declared objects with references as they are written: for
// what needs the objects' places only, such as the policy.
func (s *Seed) Declared() []object.Object { return slices.Clone(s.objects) }
