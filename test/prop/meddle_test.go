package prop_test

import (
	"slices"
	"strings"
)

// meddle makes the changes by hand.
func (g *generator) meddle(s *scenario, items []*item) {
	refers := map[string]bool{}
	for _, it := range items {
		for _, id := range it.needs {
			refers[id] = true
		}
	}
	touched := map[string]bool{}
	for _, it := range items {
		if touched[it.holder()] {
			continue
		}
		switch g.rng.IntN(6) {
		case 0:
			if f, v, ok := g.other(it, true); ok && changeable(it, f) {
				s.meddling = append(s.meddling, edit{do: "change", id: it.full(), field: f, value: v})
			}
		case 1:
			if !refers[it.full()] && removable(it) && (!it.isMount() || len(closure(items, map[string]bool{it.full(): true})) < 6) {
				s.meddling = append(s.meddling, edit{do: "delete", id: it.full()})
				touched[it.full()] = it.isMount()
			}
		}
	}
}

// removable reports whether a person can delete the object, and the program sees it and can make it
// again: of a value with 'cas: 0' a deletion leaves a version, which that refuses to replace.
func removable(it *item) bool {
	return it.field("data > options") == nil && !it.stays && !it.request && !it.space && it.place[0] != "secretsOnce" && it.place[len(it.place)-1] != "root/generate" && it.place[len(it.place)-1] != "config/ca"
}

// changeable reports whether a person can change a field alone.
func changeable(it *item, name string) bool {
	if it.request || it.once || it.unread || it.space || it.place[0] == "audit" {
		return false
	}
	if it.alone || it.isMount() || it.value || strings.HasSuffix(it.write, "/config") && strings.Contains(it.write, "/keys/") {
		return name != "deletion_allowed"
	}
	return !slices.ContainsFunc(it.fields, func(f field) bool { return !f.value.resolved() })
}

// prune chooses what is taken out of the seed at the end.
func (g *generator) prune(s *scenario, items []*item) {
	for _, it := range items {
		if !g.chance(5) || it.found {
			continue
		}
		s.pruned = append(s.pruned, it.full())
		switch {
		case it.isMount() && g.chance(2):
			s.graves = append(s.graves, tombstone{ns: it.ns, mount: it.id})
		case it.space && g.chance(2):
			s.graves = append(s.graves, tombstone{ns: it.name + "/"})
		}
	}
}
