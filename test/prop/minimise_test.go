package prop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unit is a part of a scenario that can be taken out of it.
type unit struct {
	// what is object, edit, hand, prune, setting or field.
	what string
	// id is the full ID of an object, or a number.
	id, field string
}

// objects are the units that are taken out first, since most of a case goes with them.
func (s *scenario) objects() []unit {
	var all []unit
	for _, it := range s.base {
		all = append(all, unit{what: "object", id: it.full()})
	}
	for i := range s.edits {
		all = append(all, unit{what: "edit", id: fmt.Sprint(i)})
	}
	for i := range s.meddling {
		all = append(all, unit{what: "hand", id: fmt.Sprint(i)})
	}
	for _, id := range s.pruned {
		all = append(all, unit{what: "prune", id: id})
	}
	for _, each := range []string{"harden", "login", "purge", "exclude", "owned"} {
		all = append(all, unit{what: "setting", id: each})
	}
	return all
}

// parts are the fields that the objects can do without.
func (s *scenario) parts() []unit {
	var all []unit
	for _, it := range s.base {
		for _, f := range it.fields {
			if of := it.spec(f.name); of.make != nil && !of.must {
				all = append(all, unit{what: "field", id: it.full(), field: f.name})
			}
		}
	}
	return all
}

// without returns the scenario without some of its units.
func (s *scenario) without(gone []unit) *scenario {
	has := func(u unit) bool { return slices.Contains(gone, u) }
	small := *s
	ids := map[string]bool{}
	small.base = nil
	for _, it := range s.base {
		if has(unit{what: "object", id: it.full()}) {
			ids[it.full()] = true
		}
		twin := it.copy()
		twin.fields = slices.DeleteFunc(twin.fields, func(f field) bool { return has(unit{"field", it.full(), f.name}) })
		small.base = append(small.base, twin)
	}
	small.base = without(small.base, closure(small.base, ids))
	small.edits, small.meddling = nil, nil
	for i, e := range s.edits {
		if !has(unit{what: "edit", id: fmt.Sprint(i)}) && !has(unit{"field", e.id, e.field}) {
			small.edits = append(small.edits, e)
		}
	}
	for i, e := range s.meddling {
		if !has(unit{what: "hand", id: fmt.Sprint(i)}) && !has(unit{"field", e.id, e.field}) {
			small.meddling = append(small.meddling, e)
		}
	}
	small.pruned = slices.DeleteFunc(slices.Clone(s.pruned), func(id string) bool { return has(unit{what: "prune", id: id}) })
	if has(unit{what: "setting", id: "harden"}) {
		small.harden = nil
	}
	if has(unit{what: "setting", id: "login"}) {
		small.login = nil
	}
	if has(unit{what: "setting", id: "exclude"}) {
		small.exclude = nil
	}
	small.purge = small.purge && !has(unit{what: "setting", id: "purge"})
	small.owned = small.owned && !has(unit{what: "setting", id: "owned"})
	return &small
}

// minimise makes a scenario smaller as long as it fails in the same way, and returns the smallest
// one. It stops when the context ends.
func minimise(ctx context.Context, s *scenario, fails func(*scenario) bool) *scenario {
	for _, units := range []func(*scenario) []unit{(*scenario).objects, (*scenario).parts} {
		s = smaller(ctx, s, units(s), fails)
	}
	// What went with an object may be what another one was there for.
	return smaller(ctx, s, s.objects(), fails)
}

// smaller takes out units, half of them at once, then a quarter, and at last one by one.
func smaller(ctx context.Context, s *scenario, units []unit, fails func(*scenario) bool) *scenario {
	var gone []unit
	for size := (len(units) + 1) / 2; size > 0 && len(units) > 0; {
		shrunk := false
		for from := 0; from < len(units); {
			if ctx.Err() != nil {
				return s.without(gone)
			}
			chunk := units[from:min(from+size, len(units))]
			if try := append(slices.Clone(gone), chunk...); fails(s.without(try)) {
				gone, shrunk = try, true
				units = slices.Delete(slices.Clone(units), from, from+len(chunk))
				continue
			}
			from += len(chunk)
		}
		switch {
		case size > 1:
			size = (size + 1) / 2
		case !shrunk:
			size = 0
		}
	}
	return s.without(gone)
}

// explain prints a case that fails, as small as it can be made, and how to run it again.
func (s *suite) explain(ctx context.Context, t *testing.T, c *scenario, found *violation, dir string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	tries := 0
	last := found
	small := minimise(limited, c, func(smaller *scenario) bool {
		tries++
		_, err := s.try(ctx, smaller, dir)
		again, is := errors.AsType[*violation](err)
		same := is && again.property == found.property
		if same {
			last = again
		}
		return same
	})
	if _, err := s.try(ctx, small, dir); err != nil {
		last, _ = errors.AsType[*violation](err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "case %d fails: %s\nagain: make prop ONLY=%d SEED=%d\nmade smaller in %d tries, to %d objects:\n", c.number, found.property, c.number, s.seed, tries, len(small.base))
	b.WriteString(newPlain().document(tree(small.base, small.settings, newPlain()), ""))
	for _, e := range small.edits {
		fmt.Fprintf(&b, "then in the seed: %s\n", e)
	}
	for _, e := range small.meddling {
		fmt.Fprintf(&b, "then by hand: %s\n", e)
	}
	if len(small.pruned) > 0 {
		fmt.Fprintf(&b, "then without %q, with prune: owned and tombstones for %v\n", small.pruned, small.graves)
	}
	if last != nil {
		fmt.Fprintf(&b, "what is wrong: %s\n%s\n", last.property, lastLines(last.detail))
	}
	b.WriteString("the seed as it was spelt last:\n" + spelt(filepath.Join(dir, "seed")))
	t.Error(b.String())
}

func newPlain() *spelling {
	s := newSpelling(0, 0)
	s.plain = true
	return s
}

// spelt returns the files of a seed.
func spelt(dir string) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	nested, _ := filepath.Glob(filepath.Join(dir, "policies", "*"))
	for _, file := range append(files, nested...) {
		if content, err := os.ReadFile(file); err == nil && filepath.Base(file) != "own-password" {
			fmt.Fprintf(&b, "# %s\n%s", strings.TrimPrefix(file, dir+"/"), content)
		}
	}
	return b.String()
}

// shownLines is how much of what is wrong is printed.
const shownLines = 30

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-shownLines):], "\n")
}

func (e edit) String() string {
	text := e.do + " " + e.id
	if e.field != "" {
		text += ": " + e.field
	}
	if e.do == "change" {
		text += " = " + e.value.canonical()
	}
	if e.with != nil {
		one := *e.with
		one.mount, one.ns = "", ""
		text += " with\n" + newPlain().document(tree([]*item{&one}, settings{}, newPlain()), "")
	}
	return text
}
