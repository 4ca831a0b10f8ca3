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
	file := filepath.Join(g.dir, strings.NewReplacer("/", "-").Replace(path)+".raw")
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
			// So many that the runs of a case are not limited themselves.
			{name: "rate", make: loose(numbers(90000, 100000, 250000)), must: true},
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
		if path := it.field("path"); path.text == "sys/tools/random/16" && g.chance(2) {
			g.answered(it, word)
		}
	}
}

// answered makes a request with what was answered to another one. Both are sent in the same run,
// and never again.
func (g *generator) answered(before *item, word string) {
	name := g.name(before.ns+"requests", []string{"with-answer"})
	it := g.object(before.ns, "request:"+name, []string{"requests"}, "name", name, []spec{
		{name: "path", make: fixedTo(nameOf("identity/oidc/scope/answered-" + word)), must: true, fixed: true},
		{name: "data", make: fixedTo(mappingOf(field{"description", sourceOf("${ answer \"" + before.name + "\" \"random_bytes\" }")})), must: true, fixed: true, hidden: true},
	})
	it.kept, it.unread, it.request, it.answered, it.needs = true, true, true, true, []string{before.full()}
}

// space makes a namespace with what it holds. No mount of the root may lie below its name.
func (g *generator) space() {
	ns := g.name("namespaces", []string{"tenant", "Ops", "north", "x_y"})
	it := g.object("", "sys/namespaces/"+ns, []string{"namespaces"}, "path", ns, []spec{{name: "custom_metadata", make: dictionary("owner", "tier")}})
	it.fields = append([]field{}, it.fields...)
	it.space = true
	g.contents(ns+"/", 3)
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
