package prop_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// generator makes the objects of one case.
type generator struct {
	rng       *rand.Rand
	number    int
	facts     testbed.Facts
	dir       string // where audit devices write
	plugin    plugin
	material  material
	items     []*item
	taken     map[string]bool
	passwords int
}

// plugin is a program in the server's plugin directory.
type plugin struct{ command, digest string }

func newGenerator(seed uint64, number int, facts testbed.Facts, dir string, p plugin) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, uint64(number))), number: number, facts: facts, dir: dir, plugin: p, taken: map[string]bool{}}
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.rng.IntN(n) == 0 }

// Names as people give them. Role names of most engines are letters, digits and what is between
// them; the others have what a path may hold.
var (
	simpleNames = []string{"app", "Team", "ci-cd", "a.b", "x_y", "Deploy-Prod", "r2d2", "web"}
	wildNames   = []string{"app", "Team A", "CN=Alice OU=people", "über", "a.b", "x@example.org", "with/slash", "100%", "(round)"}
	mountNames  = []string{"app", "team/one", "Main", "eu-west", "x_y", "deep/er/path"}
)

// name returns a name that nothing else in the same place has, in any letter case.
func (g *generator) name(place string, from []string) string {
	for n := 0; ; n++ {
		name := choose(g, from)
		if n > 3 || g.chance(3) {
			name += fmt.Sprint(g.rng.IntN(100))
		}
		if key := place + "/" + strings.ToLower(name); !g.taken[key] {
			g.taken[key] = true
			return name
		}
	}
}

// fieldsOf makes the fields of an object.
func (g *generator) fieldsOf(specs []spec) []field {
	var fields []field
	for _, each := range specs {
		rarely := each.chance
		if rarely == 0 {
			rarely = 3
		}
		if each.only != "" && each.only != g.facts.Product || !each.must && !g.chance(rarely) {
			continue
		}
		fields = append(fields, field{each.name, each.make(g)})
	}
	return fields
}

func (g *generator) add(it *item) *item {
	g.items = append(g.items, it)
	return it
}

// engines returns those of a section that the server has.
func (g *generator) engines(section string) []engine {
	all, kind := authEngines(), "auth"
	if section == "secrets" {
		all, kind = secretsEngines(), "secret"
	}
	return slices.DeleteFunc(all, func(e engine) bool {
		known := []string{"kv-v1", "kv-v2", "database"}
		return !slices.Contains(known, e.kind) && !g.facts.BuiltIn(kind, e.kind)
	})
}

// mount makes an auth method or secrets engine with what is below it.
func (g *generator) mount(section, ns string) *item {
	all := g.engines(section)
	return g.mountOf(section, ns, all[g.rng.IntN(len(all))])
}

func (g *generator) mountOf(section, ns string, e engine) *item {
	path := e.kind
	if g.taken[ns+section+"/"+path] || g.chance(2) {
		path = g.mountPath(ns, section)
	}
	g.taken[ns+section+"/"+path] = true
	prefix := map[string]string{"auth": "sys/auth/", "secrets": "sys/mounts/"}[section]
	it := &item{id: prefix + path, ns: ns, place: []string{section}, name: path, engine: e.kind, specs: append(g.settingsOf(section, e), e.options...), excluded: section}
	it.fields = append([]field{{"type", nameOf(e.kind)}}, g.fieldsOf(it.specs)...)
	if g.facts.BuiltIn(map[string]string{"auth": "auth", "secrets": "secret"}[section], e.kind) && g.chance(8) {
		it.fields[0].value = nameOf("plugin")
		it.fields = append(it.fields, field{"plugin_name", nameOf(e.kind)})
	}
	if path != e.kind || it.fields[0].value.text == "plugin" {
		it.fields = append(it.fields, field{"path", nameOf(path)})
	}
	g.add(it)
	root := map[string]string{"auth": "auth/", "secrets": ""}[section] + path
	for _, each := range e.endpoints {
		g.children(it, root, each)
	}
	return it
}

// mountPath returns a path beside which, and below which, there is no other.
func (g *generator) mountPath(ns, section string) string {
	for {
		path := g.name(ns+"mounts of "+section, mountNames) + fmt.Sprint(g.rng.IntN(1000))
		if !g.taken[ns+section+"/"+path] {
			return path
		}
	}
}

// children makes what is below a mount.
func (g *generator) children(mount *item, root string, e endpoint) {
	most := e.most
	if most == 0 {
		most = 3
	}
	if e.label == "" && e.shape != bare {
		most = 1
	}
	for range g.rng.IntN(most+1) + map[bool]int{true: 1}[e.must] {
		g.child(mount, root, e)
		if most == 1 {
			return
		}
	}
}

func (g *generator) child(mount *item, root string, e endpoint) *item {
	it := &item{
		ns: mount.ns, mount: mount.id, place: e.place, shape: e.shape, label: e.label, specs: e.fields,
		stays: e.stays, kept: e.kept, once: e.once, folds: e.folds, unread: e.unread, id: root + "/" + e.path,
	}
	written := e.path
	if e.write != "" {
		written = e.write
	}
	it.write = root + "/" + written
	if e.label != "" || e.shape == bare {
		it.name = g.name(mount.full()+"/"+e.path, simpleNames)
		if e.shape == bare {
			it.name = strings.ReplaceAll(it.name, ".", "-")
		}
		// OpenBao 2.6 writes users of radius as they are given, and looks for them in lower case.
		if mount.engine == "radius" && g.facts.Product == testbed.OpenBao {
			it.name = strings.ToLower(it.name)
		}
		if e.label == "sts_account" {
			it.name = fmt.Sprint(100000000000 + g.rng.IntN(1000))
		}
		if e.path == "root/generate" {
			it.name = "internal"
		}
		name := it.name
		if it.lower() {
			name = strings.ToLower(name)
		}
		it.id += "/" + name
		it.write += "/" + name
	}
	it.write += e.suffix
	it.fields = g.fieldsOf(e.fields)
	if e.path == "root/generate" {
		g.saved(it)
	}
	return g.add(it)
}

// settingsOf are the specs of a mount itself.
func (g *generator) settingsOf(section string, e engine) []spec {
	inner := map[string]string{"auth": "options > ", "secrets": "config > "}[section]
	specs := []spec{
		{name: "description", make: anyText},
		{name: "local", make: fixedTo(truthOf(true)), fixed: true, chance: 12},
		// What is sealed twice is so on Vault Enterprise only.
		{name: "seal_wrap", make: fixedTo(truthOf(false)), fixed: true, chance: 8},
		{name: inner + "default_lease_ttl", make: seconds(600, 3600, 7200)},
		{name: inner + "max_lease_ttl", make: seconds(86400, 90000, 864000)},
		{name: inner + "audit_non_hmac_request_keys", make: some("role", "jwt", "name"), chance: 8},
		{name: inner + "audit_non_hmac_response_keys", make: some("data", "x"), chance: 8},
		{name: inner + "listing_visibility", make: names("unauth", "hidden"), chance: 6},
		{name: inner + "passthrough_request_headers", make: some("X-Team", "X-Other"), chance: 8},
		{name: inner + "allowed_response_headers", make: some("X-Answer", "X-More"), chance: 8},
		// OpenBao takes neither.
		{name: inner + "trim_request_trailing_slashes", make: truths(), chance: 8, only: testbed.Vault},
	}
	if section == "auth" {
		specs = append(specs, spec{name: "usersOrGroupsKey", make: names("whatever"), chance: 15}, spec{name: inner + "token_type", make: names("default-service", "default-batch", "service"), chance: 8})
		if e.lockout {
			at := inner + "user_lockout_config > "
			specs = append(specs,
				spec{name: at + "lockout_threshold", make: numbers(3, 5, 7), chance: 8},
				spec{name: at + "lockout_duration", make: seconds(600, 900), chance: 8},
				spec{name: at + "lockout_counter_reset_duration", make: seconds(600, 1200), chance: 8},
				spec{name: at + "lockout_disable", make: truths(), chance: 8})
		}
		return specs
	}
	return append(specs,
		spec{name: inner + "force_no_cache", make: fixedTo(truthOf(true)), fixed: true, chance: 10},
		spec{name: "external_entropy_access", make: fixedTo(truthOf(false)), fixed: true, chance: 10},
		spec{name: inner + "allowed_managed_keys", make: someNames("hsm", "kms"), chance: 10, only: testbed.Vault},
		spec{name: inner + "delegated_auth_accessors", make: some("auth_one", "auth_two"), chance: 10, only: testbed.Vault})
}

// saved has the answer to a write kept in KV, where there is an engine for it.
func (g *generator) saved(it *item) {
	engines := g.kv(it.ns)
	for _, mount := range g.mounts(it.ns, "secrets") {
		if engines[mount] && g.chance(2) {
			it.fields = append(it.fields, field{"save_to", nameOf(strings.TrimPrefix(mount.id, "sys/mounts/") + "/data/root")})
			it.needs = append(it.needs, mount.full())
			return
		}
	}
}
