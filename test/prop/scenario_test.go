package prop_test

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// scenario is what happens in a case. It follows from the numbers, and can be made smaller: what is
// taken out of it leaves the rest as it is.
type scenario struct {
	seed   uint64
	number int
	base   []*item
	settings
	// edits change the seed, and meddling changes Vault by hand.
	edits    []edit
	meddling []edit
	// pruned are taken out of the seed at the end, and declared again then.
	pruned []string
	// graves are the tombstones of those of them that are mounts or namespaces.
	graves []tombstone
}

// edit is one change, of the seed or by hand.
type edit struct {
	// do is change, drop (a field), add, remove, rename or respell; by hand it is change or delete.
	do string
	// id is the full ID of the object, field the field that changes, value what it becomes.
	id, field string
	value     value
	// with is the object that is there afterwards.
	with *item
}

// newScenario makes a case.
func newScenario(g *generator, seed uint64) *scenario {
	g.all()
	s := &scenario{seed: seed, number: g.number}
	s.settings = g.settings()
	spare := g.spare()
	s.base = without(g.items, spare)
	for _, it := range g.items {
		if spare[it.full()] {
			s.edits = append(s.edits, edit{do: "add", id: it.full(), with: it})
		}
	}
	g.edits(s)
	after := s.edited(s.base)
	g.meddle(s, after)
	g.prune(s, after)
	return s
}

// settings are what the seed says besides objects.
func (g *generator) settings() settings {
	s := settings{owned: g.chance(2), purge: g.chance(3)}
	if s.purge && g.chance(2) {
		s.exclude = subset(g, []string{"audit", "auth", "groups", "group-aliases", "groupAliases", "plugins", "policies", "secrets", "startupSecrets"})
	}
	if g.chance(3) {
		s.harden = append(s.harden, field{"profile", nameOf(choose(g, []string{"baseline", "production"}))})
		// The bed's server does not hold these, and has to be left so.
		s.harden = append(s.harden, field{"advise", namesOf("audit-raw", "mlock", "tls-listeners", "role-bindings", "user-lockout", "ui-headers")})
		if g.chance(2) {
			s.harden = append(s.harden, field{"require", namesOf("own-login", "audit-device")})
		}
		if g.chance(2) {
			s.harden = append(s.harden, field{"limits", mappingOf(field{"key-age", nameOf("9000h")}, field{"password-length", numberOf(10)})})
		}
		if g.chance(2) {
			s.harden = append(s.harden, field{"exceptions", listOf(mappingOf(
				field{"control", nameOf("audit-raw")}, field{"object", nameOf("probe")}, field{"reason", nameOf("It is read here.")}, field{"expires", nameOf("2099-01-31")}))})
		}
		if g.chance(3) {
			s.harden = append(s.harden, field{"fix", namesOf("cors")})
		}
	}
	if g.chance(3) {
		s.login = []field{{"method", nameOf("userpass")}, {"path", nameOf(ownLogin)}, {"password_file", nameOf("own-password")}}
	}
	return s
}

// spare chooses what is not in the seed at first.
func (g *generator) spare() map[string]bool {
	chosen := map[string]bool{}
	for _, it := range g.items {
		if g.chance(12) && it.place[0] != "plugins" && !it.answered {
			chosen[it.full()] = true
		}
	}
	return closure(g.items, chosen)
}

// edits makes the changes of the seed.
func (g *generator) edits(s *scenario) {
	needed := map[string]bool{}
	for _, it := range g.items {
		for _, id := range append(slices.Clone(it.needs), it.holder()) {
			needed[id] = true
		}
		needed[namespaceID(it.ns)] = true
	}
	removed := map[string]bool{}
	for _, it := range s.base {
		if removed[it.full()] {
			continue
		}
		switch g.rng.IntN(10) {
		case 0, 1, 2:
			if f, v, ok := g.other(it, false); ok {
				s.edits = append(s.edits, edit{do: "change", id: it.full(), field: f, value: v})
			}
		case 3:
			// A field that the seed no longer names stays as it is.
			if f, ok := g.optional(it); ok {
				s.edits = append(s.edits, edit{do: "drop", id: it.full(), field: f})
			}
		case 4:
			if gone := closure(s.base, map[string]bool{it.full(): true}); len(gone) < 4 {
				s.edits = append(s.edits, edit{do: "remove", id: it.full()})
				for id := range gone {
					removed[id] = true
				}
			}
		case 5:
			if !needed[it.full()] {
				g.rename(s, it)
			}
		}
	}
}

// other chooses a field of an object that can change, and another value for it.
func (g *generator) other(it *item, byHand bool) (name string, v value, ok bool) {
	for _, at := range g.rng.Perm(len(it.fields)) {
		f := it.fields[at]
		of := it.spec(f.name)
		if of.make == nil || of.fixed || byHand && of.hidden || !f.value.resolved() {
			continue
		}
		for range 20 {
			if v := of.make(g); !same(v, f.value) && v.resolved() {
				return f.name, v, true
			}
		}
	}
	return "", value{}, false
}

// optional chooses a field that an object can do without. Lists and mappings that are compared as
// a whole are objects' own fields here, so that any will do.
func (g *generator) optional(it *item) (string, bool) {
	for _, f := range it.fields {
		if of := it.spec(f.name); of.make != nil && !of.must && !of.fixed && !it.request {
			return f.name, true
		}
	}
	return "", false
}

// rename gives an object another name. For Vault it is another object, unless it is an alias.
func (g *generator) rename(s *scenario, it *item) {
	if it.name == "" || it.isMount() || it.space || it.kept || it.place[0] == "audit" || it.place[0] == "plugins" || it.place[0] == "quotas" || it.label == "sts_account" {
		return
	}
	// OpenBao 2.6 answers 'duplicate identity name' where an alias at a local mount gets another name.
	if mount := g.find(strings.Join(it.needs[min(1, len(it.needs)):], "")); it.of == "entity" && mount != nil && mount.field("local") != nil && g.facts.Product == testbed.OpenBao {
		return
	}
	twin := it.copy()
	twin.name = g.name(it.ns+it.mount+" renamed", []string{"renamed", "new-name", "n2"})
	switch {
	case it.of != "":
		twin.id = aliasID(it.of, it.field(it.of).text, twin.name, it.field("mountpath").text)
	case strings.HasSuffix(it.id, it.name):
		twin.id = strings.TrimSuffix(it.id, it.name) + twin.name
	}
	if it.lower() {
		twin.id = strings.TrimSuffix(it.id, strings.ToLower(it.name)) + strings.ToLower(twin.name)
	}
	twin.write = strings.Replace(it.write, it.id, twin.id, 1)
	if twin.write == it.write && strings.Contains(it.write, it.name) {
		twin.write = strings.Replace(it.write, it.name, twin.name, 1)
	}
	s.edits = append(s.edits, edit{do: "rename", id: it.full(), with: twin})
}

// find returns the object with a full ID; nil if there is none.
func (g *generator) find(id string) *item {
	for _, it := range g.items {
		if it.full() == id {
			return it
		}
	}
	return nil
}

// edited returns the objects after the changes of the seed.
func (s *scenario) edited(items []*item) []*item {
	for _, e := range s.edits {
		items = e.applied(items)
	}
	return items
}

func (e edit) applied(items []*item) []*item {
	at := slices.IndexFunc(items, func(it *item) bool { return it.full() == e.id })
	if e.do == "add" {
		if held(items, e.with) {
			return append(slices.Clone(items), e.with)
		}
		return items
	}
	if at < 0 {
		return items
	}
	items = slices.Clone(items)
	switch e.do {
	case "remove":
		return without(items, closure(items, map[string]bool{e.id: true}))
	case "rename":
		items[at] = e.with
		return items
	}
	twin := items[at].copy()
	switch e.do {
	case "change":
		*twin.field(e.field) = e.value
	case "drop":
		twin.fields = slices.DeleteFunc(twin.fields, func(f field) bool { return f.name == e.field })
	}
	items[at] = twin
	return items
}

// held reports whether all that an object needs is there.
func held(items []*item, it *item) bool {
	needs := slices.Clone(it.needs)
	if it.mount != "" {
		needs = append(needs, it.holder())
	}
	if it.ns != "" {
		needs = append(needs, namespaceID(it.ns))
	}
	return !slices.ContainsFunc(needs, func(id string) bool {
		return !slices.ContainsFunc(items, func(other *item) bool { return other.full() == id })
	})
}
