package seed

import "slices"

// Declared returns the declared objects with references as they are written: for
// what needs the objects' places only, such as the policy.
func (s *Seed) Declared() []Object { return slices.Clone(s.objects) }
