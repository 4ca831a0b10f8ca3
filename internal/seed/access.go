package seed

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Warnings returns what Vault would accept but is probably not meant, in the order of the seed.
func (s *Seed) Warnings() []value.Problem { return slices.Clone(s.warnings) }

// Declared returns the declared objects with references as written, for callers that need only the
// objects' paths, such as the policy.
func (s *Seed) Declared() []object.Object { return slices.Clone(s.objects) }

// Prune returns what the seed says about deletion.
func (s *Seed) Prune() object.Prune { return s.prune }

// Harden returns what the seed says about the controls.
func (s *Seed) Harden() Harden { return s.harden }
