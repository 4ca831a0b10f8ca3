package seed

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// builder turns records into objects.
type builder struct {
	objects []object.Object
	places  map[object.ID]value.Position
	prune   pruneReader
	// ns is the namespace that is being read, with a slash at its end, or empty.
	ns string
	// requests counts them over all files, since their order matters.
	requests int
	// values are read last, since they need to know all engines.
	values []func(problems *value.Problems)
	// warnings tell what is probably not meant.
	warnings []value.Problem
	harden   Harden
	login    declaredLogin
}

// build adds the objects of one file.
func (b *builder) build(r lang.Record, problems *value.Problems) {
	b.contents(r, problems)
	for _, each := range r.Records("namespaces") {
		path, ok := b.path(each, problems)
		if !ok {
			continue
		}
		if word := value.ReservedNamespace(path); word != "" {
			problems.Add(each.At, "the namespace %q cannot be used: %s is Vault's own", path, word)
			continue
		}
		b.add(object.Namespace(path), each.At, problems)
		b.ns = path + "/"
		b.contents(each, problems)
		b.ns = ""
	}
	b.prune.read(r, problems)
	b.readHarden(r, problems)
	b.readLogin(r, problems)
}

// contents adds what one namespace holds.
func (b *builder) contents(r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("policies") {
		if name, ok := b.name(each, "name", value.CheckWholeName, problems); ok {
			b.add(object.Policy(name, each.Values["rules"]), each.At, problems)
		}
	}
	for _, each := range r.Records("password-policies") {
		if name, ok := b.name(each, "name", value.CheckPasswordPolicy, problems); ok {
			b.add(object.PasswordPolicy(name, each.Values["rules"]), each.At, problems)
		}
	}
	for _, each := range r.Records("audit") {
		if path, ok := b.path(each, problems); ok {
			b.add(object.AuditDevice(path, each.Text("type"), pick(each, "description", "local", "options")), each.At, problems)
		}
	}
	for _, each := range r.Records("auth") {
		b.auth(each, problems)
	}
	for _, each := range r.Records("secrets") {
		b.secrets(each, problems)
	}
	for _, role := range r.Inner("tokens").Records("roles") {
		b.child(role, "name", problems, func(name string) object.Object { return object.Role("token", "token", name, role.Rest) })
	}
	b.system(r, problems)
	b.identity(r, problems)
	ns := b.ns
	b.values = append(b.values, func(problems *value.Problems) { b.kv(r, ns, problems) })
	for _, each := range r.Records("requests") {
		b.request(each, problems)
	}
}

// policyFile adds the policy in an .hcl file.
func (b *builder) policyFile(name, rules string, at value.Position, problems *value.Problems) {
	if err := value.CheckWholeName(name); err != nil {
		problems.Add(at, "the file's name cannot name a policy: %s", err)
		return
	}
	b.add(object.Policy(name, rules), at, problems)
}

// child adds an object whose name is under key in r.
func (b *builder) child(r lang.Record, key string, problems *value.Problems, made func(name string) object.Object) {
	b.childNamed(r, key, value.CheckName, problems, made)
}

// childNamed is child for a name that check judges.
func (b *builder) childNamed(r lang.Record, key string, check func(string) error, problems *value.Problems, made func(name string) object.Object) {
	if name, ok := b.name(r, key, check, problems); ok {
		b.add(made(name), r.At, problems)
	}
}

// system adds what is set below sys.
func (b *builder) system(r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("plugins") {
		b.child(each, "plugin_name", problems, func(name string) object.Object {
			return object.Plugin(each.Text("type"), name, pick(each, "version", "command", "sha256", "args", "env"))
		})
	}
	quotas := r.Inner("quotas")
	for _, kind := range []string{"rate-limit", "lease-count"} {
		for _, each := range quotas.Records(kind + "s") {
			b.child(each, "name", problems, func(name string) object.Object { return object.Quota(kind, name, each.Rest) })
		}
	}
	if config := quotas.Mapping("config"); config != nil {
		b.add(object.QuotaConfig(config), quotas.Places["config"], problems)
	}
	headers := r.Mapping("ui-headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if err := value.CheckName(name); err != nil {
			problems.Add(r.Places["ui-headers"], "the name %q cannot be used: %s", name, err)
			continue
		}
		b.add(object.UIHeader(name, headers[name]), r.Places["ui-headers"], problems)
	}
	if settings, ok := r.Values["cors"].(lang.Record); ok {
		b.add(object.CORS(pick(settings, "allowed_origins", "allowed_headers")), r.Places["cors"], problems)
	}
}

// identity adds entities, groups and their aliases.
func (b *builder) identity(r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("entities") {
		b.childNamed(each, "name", value.CheckWholeName, problems, func(name string) object.Object {
			return object.Entity(name, pick(each, "policies", "metadata", "disabled"))
		})
	}
	for _, each := range r.Records("groups") {
		members, _ := each.Values["members"].([]any)
		groups, _ := each.Values["member_groups"].([]any)
		for _, member := range append(append([]any{}, members...), groups...) {
			if _, plain := member.(string); !plain {
				problems.Add(each.At, "members and member_groups must be names; they cannot hold references")
				return
			}
		}
		b.childNamed(each, "name", value.CheckWholeName, problems, func(name string) object.Object {
			return object.Group(name, pick(each, "type", "policies", "metadata"), members, groups, each.At)
		})
	}
	for _, of := range []string{"entity", "group"} {
		for _, each := range r.Records(of + "-aliases") {
			owner, mount := each.Text(of), each.Text("mountpath")
			if owner == "" || mount == "" || each.Values["name"] == nil { // reported already
				continue
			}
			if err := value.CheckWholeName(owner); err != nil {
				problems.Add(each.At, "the name %q cannot be used: %s", owner, err)
				continue
			}
			b.add(object.NewAlias(of, owner, mount, each.Values["name"], each.Mapping("custom_metadata"), each.At), each.At, problems)
		}
	}
}

// request adds a request.
func (b *builder) request(r lang.Record, problems *value.Problems) {
	name, ok := b.name(r, "name", value.CheckName, problems)
	path := value.TrimPath(r.Text("path"))
	if err := value.CheckPath(path); ok && err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", r.Text("path"), err)
		ok = false
	}
	if !ok {
		return
	}
	if strings.HasPrefix(path, "v1/") {
		problems.Add(r.Places["path"], "the path %q cannot be used: write it without v1/", r.Text("path"))
		return
	}
	unless := r.Inner("unless")
	if unless.Text("path") != "" && value.CheckPath(value.TrimPath(unless.Text("path"))) != nil {
		problems.Add(unless.At, "the path %q cannot be used", unless.Text("path"))
		return
	}
	b.requests++
	o := object.Request(name, path, r.Text("operation") == "delete", r.Mapping("data"),
		object.Condition{Path: value.TrimPath(unless.Text("path")), Field: unless.Text("field"), Value: unless.Values["value"]}, b.requests)
	b.add(b.saved(o, r, b.ns, problems), r.At, problems)
}

// pick returns those of r's values that are there.
func pick(r lang.Record, names ...string) map[string]any {
	fields := map[string]any{}
	for _, name := range names {
		if value, ok := r.Values[name]; ok {
			fields[name] = value
		}
	}
	return fields
}

// withSettings puts the settings of a mount, which stand under key, into its fields.
func withSettings(fields map[string]any, r lang.Record, key string) map[string]any {
	values := r.Inner(key).Values
	if lockout, ok := values[object.LockoutConfig].(lang.Record); ok {
		values = value.Merged(values, map[string]any{object.LockoutConfig: lockout.Values})
	}
	if version := r.Text("plugin_version"); version != "" {
		values = value.Merged(values, map[string]any{"plugin_version": version})
	}
	if values != nil {
		fields["config"] = values
	}
	return fields
}

// add keeps o, unless its place is taken.
func (b *builder) add(o object.Object, at value.Position, problems *value.Problems) {
	o = o.Within(b.ns)
	o.Position = at
	if first, ok := b.places[o.Place()]; ok {
		problems.Add(at, "%s is declared twice, first at %s", o.ID, first)
		return
	}
	if b.places == nil {
		b.places = map[object.ID]value.Position{}
	}
	b.places[o.Place()] = at
	if len(b.objects) == cap(b.objects) { // append would copy thousands of them again and again
		b.objects = slices.Grow(b.objects, max(64, len(b.objects)))
	}
	b.objects = append(b.objects, o)
}

// finish adds what needs the whole seed, and checks what only that shows.
func (b *builder) finish(problems *value.Problems) {
	for _, add := range b.values {
		add(problems)
	}
	orderReferences(b.objects, problems)
	soleAliases(b.objects, problems)
	b.answers(problems)
	for _, clash := range clashes(b.objects) {
		problems.Add(clash.inner.Position, "%s lies below %s (declared at %s): Vault has no mount within a mount",
			clash.inner.ID, clash.outer.ID, clash.outer.Position)
	}
}

// answers checks that references to answers lead to earlier requests.
func (b *builder) answers(problems *value.Problems) {
	places := map[string]object.Object{}
	for _, o := range b.objects {
		if o.IsRequest() {
			places[strings.TrimPrefix(string(o.ID), o.Namespace+"request:")] = o
		}
	}
	for _, o := range b.objects {
		value.EachPart(o.Data, func(p value.Part, at value.Position) {
			if p.Call != value.CallAnswer {
				return
			}
			asked, there := places[p.Args[0]]
			switch {
			case !o.IsRequest():
				problems.Add(at, "only requests can refer to the answer of a request")
			case !there:
				problems.Add(at, "there is no request %q", p.Args[0])
			case asked.Order >= o.Order:
				problems.Add(at, "the request %q comes later (%s): only answers of earlier requests can be had", p.Args[0], asked.Position)
			}
		})
	}
}

// path returns where r is enabled: its path, or its type.
func (b *builder) path(r lang.Record, problems *value.Problems) (string, bool) {
	path := r.Text("path")
	if path == "" {
		path = r.Text("type")
	}
	if path == "" { // the missing type was reported
		return "", false
	}
	if err := value.CheckPath(value.TrimPath(path)); err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", path, err)
		return "", false
	}
	return value.TrimPath(path), true
}

// name returns the name of r, if check finds nothing wrong with it.
func (b *builder) name(r lang.Record, key string, check func(string) error, problems *value.Problems) (string, bool) {
	name, ok := r.Values[key].(string)
	if !ok { // reported already
		return "", false
	}
	if err := check(name); err != nil {
		problems.Add(r.At, "the name %q cannot be used: %s", name, err)
		return "", false
	}
	return name, true
}
