package prop_test

import (
	"slices"
	"testing"
)

// TestMinimise plants faults that need one, two or three of a case's parts to be seen, and holds
// that the case is made as small as that.
func TestMinimise(t *testing.T) {
	s := newSuite(t)
	for number := 1; number <= 12; number++ {
		c := s.scenario(number, t.TempDir())
		var alone, refers *item
		for _, it := range c.base {
			switch {
			case len(it.needs) == 0 && it.mount == "" && !it.isMount() && it.ns == "":
				alone = it
			case it.mount != "" && it.ns == "":
				refers = it
			}
		}
		if alone == nil || refers == nil || len(c.edits) == 0 {
			continue
		}
		wanted, last := c.edits[len(c.edits)-1].String(), len(c.base)
		tries := 0
		small := minimise(t.Context(), c, func(s *scenario) bool {
			tries++
			has := func(id string) bool {
				return slices.ContainsFunc(s.base, func(it *item) bool { return it.full() == id })
			}
			return has(alone.full()) && has(refers.full()) && slices.ContainsFunc(s.edits, func(e edit) bool { return e.String() == wanted })
		})
		// What is below a mount keeps that.
		if len(small.base) > 3+len(refers.needs) || len(small.edits) != 1 || len(small.meddling)+len(small.pruned)+len(small.harden)+len(small.login) > 0 {
			t.Errorf("case %d: %d of %d objects are left, %d edits, %d changes by hand", number, len(small.base), last, len(small.edits), len(small.meddling))
		}
		for _, it := range small.base {
			for _, f := range it.fields {
				if of := it.spec(f.name); of.make != nil && !of.must {
					t.Errorf("case %d: %s keeps %s", number, it.full(), f.name)
				}
			}
		}
		if tries > 200 {
			t.Errorf("case %d: it took %d tries", number, tries)
		}
	}
}
