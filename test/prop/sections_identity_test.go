package prop_test

import (
	"slices"
	"strings"
)

// metadata has texts that Vault keeps as they are. Its keys are ASCII: Vault answers 500 to others.
func metadata(g *generator) value {
	v := mappingOf()
	for _, key := range subset(g, []string{"team", "room", "cost-center", "on_call"}) {
		v.fields = append(v.fields, field{key, proseOf(choose(g, trouble))})
	}
	return v
}

func (g *generator) entity(ns string) *item {
	name := g.name(ns+"entities", wildNames)
	it := g.object(ns, "identity/entity/name/"+name, []string{"entities"}, "name", name, []spec{
		{name: "policies", make: policies}, {name: "metadata", make: metadata, chance: 2}, {name: "disabled", make: truths()},
	})
	it.alone, it.folds = true, true
	return it
}

func (g *generator) group(ns string) *item {
	name := g.name(ns+"groups", wildNames)
	specs := []spec{{name: "policies", make: policies}, {name: "metadata", make: metadata, chance: 2}}
	members, groups := g.named(ns, "entities"), g.internalGroups(ns)
	external := g.chance(3)
	kind := "internal"
	if external {
		kind = "external"
	}
	if external || g.chance(2) {
		specs = append(specs, spec{name: "type", make: fixedTo(nameOf(kind)), must: true, fixed: true})
	}
	it := &item{}
	if !external && len(members) > 0 && g.chance(2) {
		specs = append(specs, spec{name: "members", make: someNames(members...), must: true, fixed: true})
	}
	if !external && len(groups) > 0 && g.chance(3) {
		specs = append(specs, spec{name: "member_groups", make: someNames(groups...), must: true, fixed: true})
	}
	it = g.object(ns, "identity/group/name/"+name, []string{"groups"}, "name", name, specs)
	it.alone, it.folds, it.excluded = true, true, "groups"
	for _, each := range memberships {
		if v := it.field(each.field); v != nil {
			for _, member := range v.items {
				it.needs = append(it.needs, ns+each.prefix+member.text)
			}
		}
	}
	return it
}

// memberships are the fields of a group with members, and what the IDs of these begin with.
var memberships = []struct{ field, prefix string }{{"members", "identity/entity/name/"}, {"member_groups", "identity/group/name/"}}

// leave takes what was deleted out of a group that is left alone: one that is made again under the
// same name is another member.
func (it *item) leave(id string) {
	for _, each := range memberships {
		if v := it.field(each.field); v != nil && it.place[0] == "groups" {
			v.items = slices.DeleteFunc(slices.Clone(v.items), func(member value) bool { return it.ns+each.prefix+member.text == id })
		}
	}
}

// named are the names of what is in a section.
func (g *generator) named(ns, section string) []string {
	var found []string
	for _, it := range g.items {
		if it.ns == ns && it.place[0] == section {
			found = append(found, it.name)
		}
	}
	return found
}

func (g *generator) internalGroups(ns string) []string {
	var found []string
	for _, it := range g.items {
		if kind := it.field("type"); it.ns == ns && it.place[0] == "groups" && len(it.place) == 1 && it.mount == "" && (kind == nil || kind.text == "internal") {
			found = append(found, it.name)
		}
	}
	return found
}

func (g *generator) mounts(ns, section string) []*item {
	var found []*item
	for _, it := range g.items {
		if it.ns == ns && it.isMount() && it.place[0] == section {
			found = append(found, it)
		}
	}
	return found
}

// aliases gives some entities and external groups an alias. An entity has one at each method, a
// group one at all.
func (g *generator) aliases(ns string) {
	mounts := g.mounts(ns, "auth")
	if len(mounts) == 0 {
		return
	}
	for _, owner := range append([]*item{}, g.items...) {
		kind := owner.field("type")
		of := map[string]string{"entities": "entity", "groups": "group"}[owner.place[0]]
		if owner.ns != ns || owner.mount != "" || of == "" || of == "group" && (kind == nil || kind.text != "external") || !g.chance(2) {
			continue
		}
		mount := mounts[g.rng.IntN(len(mounts))]
		if of == "group" && mount.field("local") != nil { // "mount accessor … is a local mount" (400)
			continue
		}
		g.alias(owner, of, mount)
	}
}

func (g *generator) alias(owner *item, of string, mount *item) *item {
	path := strings.TrimPrefix(mount.id, "sys/auth/")
	name := g.name(mount.full()+" "+of+" aliases", []string{"alice", "CN=Alice/OU=people", "robot@example", "über", "a b", "admins"})
	specs := []spec{
		{name: "mountpath", make: fixedTo(nameOf(path)), must: true, fixed: true},
		{name: of, make: fixedTo(nameOf(owner.name)), must: true, fixed: true},
	}
	if of == "entity" {
		specs = append(specs, spec{name: "custom_metadata", make: dictionary("made_by", "since")})
	}
	section := map[string]string{"entity": "entity-aliases", "group": "group-aliases"}[of]
	it := g.object(owner.ns, "", []string{section}, "name", name, specs)
	it.id = aliasID(of, owner.name, name, path)
	it.owner, it.of, it.needs, it.unread = owner.full(), of, []string{owner.full(), mount.full()}, true
	if of == "group" {
		it.excluded = "group-aliases"
	}
	return it
}

func aliasID(of, owner, name, mount string) string {
	return "identity/" + of + "-alias/" + owner + "/" + name + "/" + mount
}
