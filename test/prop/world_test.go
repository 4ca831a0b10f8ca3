package prop_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// world is what Vault holds, as it follows from what was applied, and what of it is ours. It is the
// oracle: it knows nothing of the program but its documentation.
type world struct {
	live map[string]*item
	ours map[string]bool
	// comes holds what Vault shows although nobody has made it: settings that come with a mount.
	comes map[string]bool
}

func newWorld() *world { return &world{live: map[string]*item{}, ours: map[string]bool{}} }

// verdict is what a plan must say.
type verdict struct {
	// changes are the actions by ID. Those in maybe may be missing, where what Vault shows by itself
	// may be what is wanted. left is what stays although the seed no longer names it.
	changes map[string]string
	maybe   map[string]bool
	left    []string
	// renamed are the earlier IDs of aliases, by their new ones; forgotten leave the ledger.
	renamed   map[string]string
	forgotten []string
}

// expect works out the plan for a seed.
func (w *world) expect(items []*item, s settings) verdict {
	v := verdict{changes: map[string]string{}, maybe: map[string]bool{}, renamed: map[string]string{}}
	for _, it := range items {
		live, there := w.live[it.full()]
		if !there && it.folds {
			live, there = w.folded(it)
		}
		switch {
		case !there && it.of != "":
			if before := w.inPlaceOf(it, items); before != "" {
				v.renamed[it.full()] = before
				v.changes[it.full()] = "update"
				continue
			}
			v.changes[it.full()] = "create"
		case !there && w.comes[it.full()]:
			v.changes[it.full()], v.maybe[it.full()] = "update", true
		case !there && it.found:
			v.changes[it.full()] = "update"
		case !there:
			v.changes[it.full()] = "create"
		case it.once:
		case differs(it, live) && it.request:
			if it.field("unless > path") == nil {
				v.changes[it.full()] = "create"
			}
		case differs(it, live):
			v.changes[it.full()] = "update"
		}
	}
	if s.owned {
		w.gone(&v, items, s)
	}
	slices.Sort(v.left)
	return v
}

// folded finds an object under another spelling of its name.
func (w *world) folded(it *item) (*item, bool) {
	for id, live := range w.live {
		if live.folds && strings.EqualFold(id, it.full()) {
			return live, true
		}
	}
	return nil, false
}

// inPlaceOf returns the ID of the alias that a new one renames: that of the same group, or of the
// same entity at the same method, which the seed no longer has.
func (w *world) inPlaceOf(it *item, items []*item) string {
	for id, live := range w.live {
		if live.of == it.of && live.owner == it.owner && (it.of == "group" || live.field("mountpath").text == it.field("mountpath").text) && !declared(items, live) {
			return id
		}
	}
	return ""
}

func declared(items []*item, live *item) bool {
	return slices.ContainsFunc(items, func(it *item) bool {
		return it.full() == live.full() || it.folds && live.folds && strings.EqualFold(it.full(), live.full())
	})
}

// differs reports whether a run has anything to write.
func differs(it, live *item) bool {
	for _, f := range it.fields {
		if of := it.spec(f.name); ours(f.name) && of.name != "data" {
			continue
		}
		before := live.field(f.name)
		if before == nil && !empty(f.value) || before != nil && !same(*before, f.value) {
			return true
		}
	}
	return false
}

// ours reports whether a field is the program's own, and not Vault's.
func ours(name string) bool {
	return slices.Contains([]string{"create_only", "save_to", "rotate", "path", "plugin_name", "usersOrGroupsKey"}, name)
}

func empty(v value) bool {
	switch v.kind {
	case words, list:
		return len(v.items) == 0
	case mapping:
		return len(v.fields) == 0
	}
	return v.text == "" || v.text == "0" || v.text == "false"
}

// gone adds to a verdict what is ours and no longer named.
func (w *world) gone(v *verdict, items []*item, s settings) {
	buried := func(it *item) bool {
		return slices.ContainsFunc(s.tombstones, func(t tombstone) bool { return t.id() == it.full() && w.ours[it.full()] })
	}
	for _, id := range slices.Sorted(maps.Keys(w.ours)) {
		live := w.live[id]
		if declared(items, live) || slices.Contains(slices.Collect(maps.Values(v.renamed)), id) || s.excludes(live) || s.excludes(w.live[live.holder()]) {
			continue
		}
		switch {
		case w.within(live, buried):
			// It goes with what it is in.
		case (live.isMount() || live.space) && !buried(live):
			v.left = append(v.left, id)
		case live.stays:
			v.left, v.forgotten = append(v.left, id), append(v.forgotten, id)
		default:
			v.changes[id] = "delete"
		}
	}
}

// excludes reports whether an object is of a kind that is left alone.
func (s settings) excludes(it *item) bool {
	return it != nil && slices.ContainsFunc(s.exclude, func(kind string) bool {
		return kind == it.excluded || kind == "groupAliases" && it.excluded == "group-aliases"
	})
}

// within reports whether something that an object is in has a tombstone.
func (w *world) within(it *item, buried func(*item) bool) bool {
	if mount := w.live[it.holder()]; mount != nil && buried(mount) {
		return true
	}
	for at, char := range it.ns {
		if space := w.live[namespaceID(it.ns[:at])]; char == '/' && space != nil && buried(space) {
			return true
		}
	}
	return false
}

// apply takes over what a run has made of a seed.
func (w *world) apply(items []*item, v verdict) {
	for id, action := range v.changes {
		if action == "delete" {
			w.remove(id)
		}
	}
	for _, id := range v.forgotten {
		delete(w.ours, id)
	}
	for id, before := range v.renamed {
		w.live[id], w.ours[id] = w.live[before], w.ours[before]
		delete(w.live, before)
		delete(w.ours, before)
	}
	for _, it := range items {
		live, there := w.live[it.full()]
		if !there && it.folds {
			if live, there = w.folded(it); there {
				w.ours[it.full()] = w.ours[live.full()]
				delete(w.live, live.full())
				delete(w.ours, live.full())
			}
		}
		made := it.copy()
		if there {
			for _, f := range live.fields {
				if made.field(f.name) == nil {
					made.fields = append(made.fields, f)
				}
			}
		} else {
			w.ours[it.full()] = !it.kept && !w.comes[it.full()]
		}
		w.live[it.full()] = made
	}
	maps.DeleteFunc(w.ours, func(id string, ours bool) bool { return !ours })
}

// remove forgets an object and what goes with it.
func (w *world) remove(id string) {
	gone := w.live[id]
	for each, live := range w.live {
		// That a request was sent is remembered.
		in := live.holder() == id || gone != nil && gone.isMount() && slices.Contains(live.needs, id) && !live.request
		if gone != nil && gone.space && (!live.request || live.field("unless > path") != nil) && strings.HasPrefix(live.ns, strings.TrimSuffix(gone.ns+gone.name, "/")+"/") {
			in = true
		}
		if each == id || in {
			delete(w.live, each)
			delete(w.ours, each)
			continue
		}
		live.leave(id)
	}
}

// lost forgets what the seed no longer names, and went with an object that was deleted by hand. A
// group stays without its member.
func (w *world) lost(items []*item, id string) {
	for each, live := range w.live {
		live.leave(id)
		refers := live.place[0] != "groups" && slices.Contains(live.needs, id)
		if !declared(items, live) && !live.request && (live.holder() == id || refers) {
			delete(w.live, each)
			delete(w.ours, each)
		}
	}
}

// sorted returns the keys of a map in their order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// closure returns the IDs with those of all that depends on them: what is below or in them, and
// what refers to them.
func closure(items []*item, ids map[string]bool) map[string]bool {
	all := maps.Clone(ids)
	for grown := true; grown; {
		grown = false
		for _, it := range items {
			if !all[it.full()] && (all[it.holder()] || it.ns != "" && all[namespaceID(it.ns)] || slices.ContainsFunc(it.needs, func(id string) bool { return all[id] })) {
				all[it.full()], grown = true, true
			}
		}
	}
	return all
}

func without(items []*item, ids map[string]bool) []*item {
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return ids[it.full()] })
}
