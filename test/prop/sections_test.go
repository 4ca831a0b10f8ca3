package prop_test

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// object makes an object with an API path of its own, below none of the mounts.
func (g *generator) object(ns, id string, place []string, label, name string, specs []spec) *item {
	return g.add(&item{id: id, ns: ns, place: place, label: label, name: name, specs: specs, fields: g.fieldsOf(specs), write: id})
}

func (g *generator) policy(ns string) *item {
	name := g.name(ns+"policies", wildNames)
	it := g.object(ns, "sys/policies/acl/"+strings.ToLower(name), []string{"policies"}, "name", name, []spec{{name: "rules", make: rules, must: true}})
	it.excluded, it.alone = "policies", true
	if mounts := g.mounts(ns, "auth"); len(mounts) > 0 && g.chance(3) {
		mount := mounts[g.rng.IntN(len(mounts))]
		path := strings.TrimPrefix(mount.id, "sys/auth/")
		it.fields[0].value = sourceOf("path \"kv/data/{{identity.entity.aliases.${ accessor \"" + path + "\" }.name}}\" {\n  capabilities = [\"read\"]\n}\n")
		it.needs = append(it.needs, mount.full())
	}
	return it
}

// rules are policies with what is hard to write in YAML.
func rules(g *generator) value {
	n := g.rng.IntN(1000)
	return proseOf([]string{
		fmt.Sprintf("path \"kv/data/app%d\" {\n  capabilities = [\"read\", \"list\"]\n}\n", n),
		fmt.Sprintf("# made up: %d\npath \"secret/%d/*\" {\n  capabilities = [\"create\", \"update\"]\n  denied_parameters = {\n    \"a\" = []\n  }\n}", n, n),
		fmt.Sprintf(`{"path": {"sys/health%d": {"capabilities": ["read", "sudo"]}}}`, n),
		fmt.Sprintf("path \"kv/+/x%d\" { capabilities = [\"deny\"] }\n\npath \"übung/%d\" {\n\tcapabilities = [\"read\"]\n}\n", n, n),
	}[g.rng.IntN(4)])
}

func (g *generator) passwordPolicy(ns string) *item {
	name := g.name(ns+"password policies", simpleNames)
	it := g.object(ns, "sys/policies/password/"+name, []string{"password-policies"}, "name", name, []spec{{name: "rules", must: true, make: func(g *generator) value {
		return proseOf(fmt.Sprintf("length = %d\nrule \"charset\" {\n  charset = \"abcdefghijklmnopqrstuvwxyz0123456789\"\n  min-chars = 1\n}\n", 20+g.rng.IntN(70)))
	}}})
	it.alone = true
	return it
}

// device makes an audit device on a file of its own. Vault changes none.
func (g *generator) device() *item {
	path := g.name("audit", []string{"log", "deep/log", "Second", "x-y"})
	file := filepath.Join(g.dir, strings.NewReplacer("/", "-").Replace(path)+".log")
	specs := []spec{
		{name: "type", make: fixedTo(nameOf("file")), must: true, fixed: true},
		{name: "path", make: fixedTo(nameOf(path)), must: true, fixed: true},
		{name: "description", make: anyText, fixed: true},
		{name: "local", make: truths(), fixed: true},
		{name: "options > file_path", make: fixedTo(proseOf(file)), must: true, fixed: true},
		{name: "options > mode", make: texts("0600", "0640"), fixed: true},
		{name: "options > hmac_accessor", make: loose(truths()), fixed: true},
		{name: "options > log_raw", make: loose(truths()), fixed: true},
		{name: "options > format", make: formats, fixed: true},
		// A prefix is refused, unless the server's configuration allows it.
		{name: "options > elide_list_responses", make: loose(truths()), fixed: true},
	}
	it := g.object("", "sys/audit/"+path, []string{"audit"}, "", path, specs)
	it.excluded = "audit"
	return it
}

// formats are those of audit devices, of which OpenBao has one.
func formats(g *generator) value {
	if g.facts.Product == testbed.OpenBao {
		return nameOf("json")
	}
	return nameOf(choose(g, []string{"json", "jsonx"}))
}

func (g *generator) pluginEntry() *item {
	kind := choose(g, []string{"auth", "secret"})
	name := g.name("plugins", []string{"example-plugin", "other-plugin", "x"})
	version := ""
	id := "sys/plugins/catalog/" + kind + "/" + name
	specs := []spec{
		{name: "type", make: fixedTo(nameOf(kind)), must: true, fixed: true},
		{name: "command", make: fixedTo(proseOf(g.plugin.command)), must: true, fixed: true},
		{name: "sha256", make: fixedTo(proseOf(g.plugin.digest)), must: true, fixed: true},
		{name: "args", make: some("--one", "--two=2"), chance: 2},
		{name: "env", make: some("A=1", "B=two"), chance: 3, hidden: true},
	}
	if g.chance(2) {
		version = fmt.Sprintf("v1.%d.0", g.rng.IntN(9))
		specs = append(specs, spec{name: "version", make: fixedTo(nameOf(version)), must: true, fixed: true})
		id += "@" + version
	}
	it := g.object("", id, []string{"plugins"}, "plugin_name", name, specs)
	it.excluded = "plugins"
	it.write = "sys/plugins/catalog/" + kind + "/" + name
	return it
}

// tokenRole makes a role of tokens, under 'tokens'.
func (g *generator) tokenRole(ns string) *item {
	name := g.name(ns+"token roles", simpleNames)
	it := g.object(ns, "auth/token/roles/"+name, []string{"tokens", "roles"}, "name", name, []spec{
		{name: "orphan", make: loose(truths()), must: true},
		{name: "allowed_policies", make: policies},
		{name: "disallowed_policies", make: some("root", "admin")},
		{name: "token_period", make: seconds(3600, 86400)},
		{name: "renewable", make: loose(truths())},
		{name: "path_suffix", make: texts("one", "two"), chance: 5},
		{name: "allowed_entity_aliases", make: some("a", "b*"), chance: 5},
	})
	it.shape, it.excluded = named, "auth"
	return it
}

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
	for _, each := range []struct{ field, prefix string }{{"members", "identity/entity/name/"}, {"member_groups", "identity/group/name/"}} {
		if v := it.field(each.field); v != nil {
			for _, member := range v.items {
				it.needs = append(it.needs, ns+each.prefix+member.text)
			}
		}
	}
	return it
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
		g.alias(owner, of, mounts[g.rng.IntN(len(mounts))])
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

// quotas limit everything, and single mounts: two for the same path are refused.
func (g *generator) quotas(ns string) {
	paths := map[string]*item{"": nil}
	for _, mount := range g.mounts(ns, "secrets") {
		paths[strings.TrimPrefix(mount.id, "sys/mounts/")+"/"] = mount
	}
	for _, path := range sorted(paths) {
		if !g.chance(3) {
			continue
		}
		name := g.name(ns+"quotas", simpleNames)
		specs := []spec{
			{name: "rate", make: loose(numbers(1000, 2000, 90000)), must: true},
			{name: "interval", make: seconds(1, 10, 60)},
			{name: "block_interval", make: seconds(60, 120), chance: 6},
		}
		if mount := paths[path]; mount != nil {
			specs = append(specs, spec{name: "path", make: fixedTo(proseOf(path)), must: true, fixed: true})
			it := g.object(ns, "sys/quotas/rate-limit/"+name, []string{"quotas", "rate-limits"}, "name", name, specs)
			it.shape, it.needs = named, []string{mount.full()}
			continue
		}
		g.object(ns, "sys/quotas/rate-limit/"+name, []string{"quotas", "rate-limits"}, "name", name, specs).shape = named
	}
}

// front makes what every server has once.
func (g *generator) front() {
	if g.chance(3) {
		it := g.object("", "sys/quotas/config", []string{"quotas", "config"}, "", "", []spec{
			{name: "enable_rate_limit_response_headers", make: fixedTo(truthOf(true)), must: true, fixed: true},
			{name: "rate_limit_exempt_paths", make: strictly("sys/health", "sys/leader")},
			{name: "enable_rate_limit_audit_logging", make: loose(truths())},
		})
		// Every server has it, so that it is not ours.
		it.shape, it.kept, it.stays, it.found = single, true, true, true
	}
	if g.chance(3) {
		it := g.object("", "sys/config/cors", []string{"cors"}, "", "", []spec{
			{name: "allowed_origins", make: some("https://ui.example", "https://b.example"), must: true},
			{name: "allowed_headers", make: some("X-Team", "X-More")},
		})
		it.shape = single
	}
	for range g.rng.IntN(3) {
		name := g.name("ui-headers", []string{"X-Frame-Options", "X-Custom", "Strict-Thing"})
		it := g.object("", "sys/config/ui/headers/"+name, []string{"ui-headers"}, "", name, []spec{{name: "values", must: true, make: func(g *generator) value {
			if g.chance(2) {
				return proseOf(choose(g, []string{"DENY", "SAMEORIGIN", "a b"}))
			}
			return listOf(proseOf("one"), proseOf(choose(g, []string{"two", "three"})))
		}}})
		it.shape, it.folds = bare, true
	}
}

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

// requests are sent in their order; what one writes no other does.
func (g *generator) requests(ns string) {
	for range g.rng.IntN(4) {
		name := g.name(ns+"requests", []string{"key", "scope", "Cleanup", "random"})
		word := strings.ToLower(strings.NewReplacer("-", "", ".", "").Replace(name))
		specs := []spec{}
		must := func(name string, v value) {
			specs = append(specs, spec{name: name, make: fixedTo(v), must: true, fixed: true})
		}
		var needs []string
		switch g.rng.IntN(4) {
		case 0:
			must("path", nameOf("identity/oidc/key/"+word))
			must("data", mappingOf(field{"rotation_period", nameOf("24h")}, field{"verification_ttl", nameOf("48h")}, field{"allowed_client_ids", proseOf("*")}))
			must("unless > path", nameOf("identity/oidc/key/"+word))
			if g.chance(2) {
				must("unless > field", nameOf("rotation_period"))
				must("unless > value", proseOf("86400"))
			}
		case 1:
			must("path", nameOf("identity/oidc/scope/"+word))
			specs = append(specs, spec{name: "data", must: true, hidden: true, make: func(g *generator) value {
				return mappingOf(field{"description", proseOf(choose(g, trouble))})
			}})
			if g.chance(2) {
				must("operation", nameOf("write"))
			}
		case 2:
			must("path", nameOf("identity/oidc/scope/never-"+word))
			must("operation", nameOf("delete"))
		default:
			must("path", nameOf("sys/tools/random/16"))
			must("data", mappingOf(field{"format", nameOf("hex")}))
			for _, mount := range g.mounts(ns, "secrets") {
				if second, holds := g.kv(ns)[mount]; holds && second {
					must("save_to", nameOf(strings.TrimPrefix(mount.id, "sys/mounts/")+"/data/saved/"+word))
					needs = append(needs, mount.full())
					break
				}
			}
		}
		it := g.object(ns, "request:"+name, []string{"requests"}, "name", name, specs)
		it.kept, it.unread, it.request, it.needs = true, true, true, needs
	}
}

// space makes a namespace with what it holds. No mount of the root may lie below its name.
func (g *generator) space() {
	ns := g.name("namespaces", []string{"tenant", "Ops", "north", "x_y"})
	it := g.object("", "sys/namespaces/"+ns, []string{"namespaces"}, "path", ns, []spec{{name: "custom_metadata", make: dictionary("owner", "tier")}})
	it.fields = append([]field{}, it.fields...)
	it.space = true
	g.contents(ns+"/", 2)
}

// contents makes what a namespace, or the root, holds: so many mounts of each kind.
func (g *generator) contents(ns string, mounts int) {
	for range 1 + g.rng.IntN(mounts) {
		g.mount("auth", ns)
		g.mount("secrets", ns)
	}
	for range g.rng.IntN(4) {
		g.policy(ns)
	}
	for range g.rng.IntN(3) {
		g.passwordPolicy(ns)
		g.tokenRole(ns)
	}
	for range g.rng.IntN(4) {
		g.entity(ns)
	}
	for range g.rng.IntN(4) {
		g.group(ns)
	}
	g.aliases(ns)
	g.stored(ns)
	g.requests(ns)
}

// all makes the objects of a case.
func (g *generator) all() {
	g.contents("", 4)
	for range g.rng.IntN(3) {
		g.device()
	}
	for range g.rng.IntN(2) {
		g.pluginEntry()
	}
	g.quotas("")
	g.front()
	if g.facts.Namespaces {
		for range g.rng.IntN(3) {
			g.space()
		}
	}
}
