package prop_test

import "strings"

// kv are the engines for values, with whether they are of version 2.
func (g *generator) kv(ns string) map[*item]bool {
	found := map[*item]bool{}
	for _, it := range g.mounts(ns, "secrets") {
		switch it.engine {
		case "kv", "kv-v2":
			found[it] = true
		case "kv-v1":
			found[it] = false
		}
	}
	return found
}

// number is any number that version 2 of KV keeps as it is.
func anyValue(g *generator) value {
	switch g.rng.IntN(6) {
	case 0:
		return numberOf(g.rng.IntN(100000))
	case 1:
		return truthOf(g.chance(2))
	case 2:
		return listOf(proseOf(choose(g, trouble)), numberOf(g.rng.IntN(9)))
	case 3:
		return mappingOf(field{"inner", proseOf(choose(g, trouble))}, field{"n", numberOf(g.rng.IntN(50))})
	}
	return proseOf(choose(g, trouble))
}

func values(g *generator) value {
	v := mappingOf()
	for _, key := range subset(g, []string{"user", "url", "a.b", "with space", "data", "über"}) {
		v.fields = append(v.fields, field{key, anyValue(g)})
	}
	v.fields = append(v.fields, field{"password", password(g)})
	return v
}

// stored makes values in KV.
func (g *generator) stored(ns string) {
	engines := g.kv(ns)
	for _, mount := range g.mounts(ns, "secrets") {
		second, holds := engines[mount]
		if !holds {
			continue
		}
		path := strings.TrimPrefix(mount.id, "sys/mounts/")
		data := path
		if second {
			data += "/data"
		}
		for range g.rng.IntN(3) {
			name := g.name(mount.full()+" values", []string{"app", "team/db", "A-B", "x"})
			g.startup(ns, mount, data+"/"+name, second)
		}
		for range g.rng.IntN(3) {
			name := g.name(mount.full()+" values", []string{"once", "team/once"})
			it := g.object(ns, data+"/"+name, []string{"secretsOnce"}, "", name, []spec{
				{name: "path", make: fixedTo(nameOf(path + "/" + name)), must: true, fixed: true},
				{name: "data", make: generated, must: true, fixed: true, hidden: true},
			})
			it.kept, it.once, it.unread, it.needs = true, true, true, []string{mount.full()}
			g.byPolicy(it)
		}
	}
}

func (g *generator) startup(ns string, mount *item, id string, second bool) {
	specs := []spec{
		{name: "type", make: fixedTo(nameOf("kv")), must: true, fixed: true},
		{name: "path", make: fixedTo(nameOf(id)), must: true, fixed: true},
		{name: "data > data", make: values, must: true},
	}
	if second && g.chance(6) { // such values are written only where nothing is
		specs[2].fixed = true
		specs = append(specs, spec{name: "data > options", make: fixedTo(mappingOf(field{"cas", numberOf(0)})), must: true, fixed: true, hidden: true})
	}
	it := g.object(ns, id, []string{"startupSecrets"}, "", id, specs)
	it.kept, it.needs, it.value = true, []string{mount.full()}, true
	it.second = second
	if g.chance(2) {
		g.referred(it)
	}
}

// generated is what secretsOnce takes besides values.
func generated(g *generator) value {
	made := mappingOf(field{"length", numberOf(8 + g.rng.IntN(60))})
	if g.chance(2) {
		made.fields = append(made.fields, field{"alphabet", nameOf(choose(g, []string{"hex", "digits", "alphanumeric", "abcdef!$ü"}))})
	}
	return mappingOf(field{"user", proseOf(choose(g, trouble))}, field{"password", mappingOf(field{"generate", made})})
}

// byPolicy has Vault generate a value, where there is a policy for it.
func (g *generator) byPolicy(it *item) {
	for _, policy := range g.items {
		if policy.ns == it.ns && policy.place[0] == "password-policies" && g.chance(2) {
			data := it.field("data")
			data.fields = append(data.fields, field{"by_policy", mappingOf(field{"generate", mappingOf(field{"policy", nameOf(policy.name)})})})
			it.needs = append(it.needs, policy.full())
			return
		}
	}
}

// referred has a user's password be one that is kept in KV. The value then stays as it is: with it
// the password would change.
func (g *generator) referred(stored *item) {
	for _, it := range g.items {
		if password := it.field("password"); it.ns == stored.ns && it.place[0] == "users" && password != nil && !password.source {
			*password = sourceOf("${ vault \"" + stored.id + "\" \"password\" }")
			it.needs = append(it.needs, stored.full())
			stored.specs[2].fixed = true
			return
		}
	}
}
