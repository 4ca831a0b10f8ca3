package seed

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// auth adds an auth method and what lives below it.
func (b *builder) auth(r lang.Record, problems *value.Problems) {
	path, ok := b.path(r, problems)
	if !ok {
		return
	}
	kind := mountType(r)
	// What bank-vaults calls options of an auth method are the mount's settings.
	fields := withSettings(pick(r, "description", "local", "seal_wrap"), r, "options")
	b.add(AuthMount(path, kind, fields), r.At, problems)
	if config := r.Mapping("config"); config != nil {
		b.add(AuthConfig(path, kind, config), r.Places["config"], problems)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		if !strings.HasPrefix(name, "config/") {
			continue
		}
		if err := value.CheckPath(name); err != nil {
			problems.Add(r.Places[name], "the path %q cannot be used: %s", name, err)
			continue
		}
		b.add(authChild(path, kind, name, "", r.Mapping(name)), r.Places[name], problems)
	}
	b.authRoles(r, path, kind, problems)
	b.githubMap(r, path, kind, problems)
	b.children(r, path, kind, "auth/"+path, authChild, problems)
}

// authRoles adds what has a name below an auth method.
func (b *builder) authRoles(r lang.Record, path, kind string, problems *value.Problems) {
	certificates := "config/certificate"
	if kind == "cert" {
		certificates = "certs"
	}
	for _, each := range []struct{ key, label, segment string }{
		{"roles", "name", rolesOf(kind)},
		{"users", "username", "users"},
		{"groups", "name", "groups"},
		{"crls", "name", "crls"},
		{"certificates", "name", certificates},
		{"crossaccountrole", "sts_account", "config/sts"},
	} {
		check := value.CheckName
		if slices.Contains(wholeNames[kind], each.key) {
			check = value.CheckWholeName
		}
		for _, role := range r.Records(each.key) {
			b.childNamed(role, each.label, check, problems, func(name string) Object {
				if kind == "userpass" && each.key == "users" {
					return User(path, name, role.Rest)
				}
				o := authChild(path, kind, each.segment, name, role.Rest)
				if kind == "ldap" && (each.key == "users" || each.key == "groups") {
					o.mayFold = len(name)
					if foldsLDAP(r) {
						o.folded = o.mayFold
					}
				}
				return o
			})
		}
	}
}

// githubMap adds the policies of teams and users.
func (b *builder) githubMap(r lang.Record, path, kind string, problems *value.Problems) {
	at := r.Places["map"]
	for group, members := range r.Mapping("map") {
		names, ok := members.(map[string]any)
		if !ok || value.CheckName(group) != nil {
			problems.Add(at, "%q in map must be a mapping from names to policies", group)
			continue
		}
		for name, policies := range names {
			if err := value.CheckName(name); err != nil {
				problems.Add(at, "the name %q cannot be used: %s", name, err)
				continue
			}
			if list, ok := policies.([]any); ok {
				texts := make([]string, len(list))
				for i, item := range list {
					texts[i] = value.ToText(item)
				}
				policies = strings.Join(texts, ",")
			}
			b.add(authChild(path, kind, "map/"+group, name, map[string]any{"value": policies}), at, problems)
		}
	}
}

// reserved are the beginnings of paths at which Vault 1.21 mounts no secrets engine.
var reserved = []string{"audit", "auth", "cubbyhole", "identity", "sys"}

// secrets adds a secrets engine and what lives below it.
func (b *builder) secrets(r lang.Record, problems *value.Problems) {
	path, ok := b.path(r, problems)
	if !ok {
		return
	}
	if first, _, _ := strings.Cut(path, "/"); slices.Contains(reserved, first) {
		problems.Add(r.At, "the path %q cannot be used: what begins with %s/ is Vault's own", path, first)
		return
	}
	kind := mountType(r)
	fields := withSettings(pick(r, "description", "local", "seal_wrap", "external_entropy_access", "options"), r, "config")
	if version, given := value.ToText(r.Mapping("options")["version"]), strings.TrimPrefix(kind, "kv-v"); given != kind && version != "" && version != given {
		problems.Add(r.At, "the type %s is a kv engine of version %s, and options.version is %s: write one of them", kind, given, version)
		return
	}
	mount := SecretsMount(path, kind, fields)
	b.add(mount, r.At, problems)
	b.children(r, path, mount.Type, path, secretsChild, problems)
}

// mountType returns the type of a mount, which for a plugin is the plugin's name.
func mountType(r lang.Record) string {
	if name := r.Text("plugin_name"); name != "" && r.Text("type") == "plugin" {
		return name
	}
	return r.Text("type")
}

// children adds what is declared under 'configuration'.
func (b *builder) children(
	r lang.Record, path, kind, root string, object func(path, kind, segment, name string, fields map[string]any) Object, problems *value.Problems,
) {
	declared, _ := r.Values["configuration"].([]lang.Child)
	for _, c := range declared {
		for _, each := range c.Items {
			name := each.Text("name")
			if name != "" {
				if err := value.CheckPath(name); err != nil {
					problems.Add(each.At, "the name %q cannot be used: %s", name, err)
					continue
				}
			}
			o := object(path, kind, c.Path, name, each.Rest)
			o.how.once = o.how.once || each.Yes("create_only") || each.Yes("rotate")
			if each.Yes("rotate") {
				if o.how.rotate = rotation(root, kind, c.Path, name); o.how.rotate == "" {
					problems.Add(each.At, "the credential of %s cannot be rotated: that is known for the config of aws, azure, database, gcp and ldap", o.ID)
				}
			}
			b.add(b.saved(o, each, b.ns, problems), each.At, problems)
		}
	}
}

// saved gives o the place that its answer is kept at.
func (b *builder) saved(o Object, r lang.Record, ns string, problems *value.Problems) Object {
	path := value.TrimPath(r.Text("save_to"))
	if _, given := r.Values["save_to"]; !given {
		return o
	}
	if err := value.CheckPath(path); err != nil {
		problems.Add(r.Places["save_to"], "save_to: the path %q cannot be used: %s", r.Text("save_to"), err)
		return o
	}
	saving := &saving{path: ns + path, wrapped: true}
	o.how.saveTo = saving
	// Whether the engine takes values under "data" is known when all were read.
	b.values = append(b.values, func(*value.Problems) {
		if mount, ok := b.engine(saving.path); ok {
			saving.wrapped = isVersion2(mount)
		}
	})
	return o
}

// engine returns the declared secrets engine that holds path.
func (b *builder) engine(path string) (Object, bool) {
	var found Object
	for _, o := range b.objects {
		mount, ok := strings.CutPrefix(string(o.ID), o.ns+"sys/mounts/")
		if ok && o.isMount() && strings.HasPrefix(path, o.ns+mount+"/") && len(o.ID) > len(found.ID) {
			found = o
		}
	}
	return found, found.ID != ""
}

// isVersion2 reports whether a KV engine is of version 2.
func isVersion2(mount Object) bool {
	options, _ := mount.Data["options"].(map[string]any)
	return value.ToText(options["version"]) == "2"
}

// kv adds the values that are written to KV engines.
func (b *builder) kv(r lang.Record, ns string, problems *value.Problems) {
	b.ns = ns
	defer func() { b.ns = "" }()
	for _, each := range r.Records("startupSecrets") {
		b.startup(each, problems)
	}
	for _, each := range r.Records("secretsOnce") {
		path := value.TrimPath(each.Text("path"))
		if err := value.CheckPath(path); err != nil {
			problems.Add(each.At, "the path %q cannot be used: %s", each.Text("path"), err)
			continue
		}
		mount, ok := b.engine(ns + path)
		if !ok || mount.Type != "kv" {
			problems.Add(each.At, "%q lies in no kv engine that the seed declares: declare the engine, also if it is there already", path)
			continue
		}
		root := strings.TrimPrefix(string(mount.ID), ns+"sys/mounts/")
		name := strings.TrimPrefix(path, root+"/")
		if isVersion2(mount) && strings.HasPrefix(name, "data/") {
			b.warnings = append(b.warnings, value.Problem{Position: each.At, Text: fmt.Sprintf("%q is written to %s/data/%s: paths of secretsOnce are those of the vault CLI, without data/", path, root, name)})
		}
		values := value.WithGenerators(each.Mapping("data"), each.At, problems)
		b.add(onceValue(root, isVersion2(mount), name, values), each.At, problems)
	}
}

// startup adds one of bank-vaults' startup secrets.
func (b *builder) startup(r lang.Record, problems *value.Problems) {
	path, data := value.TrimPath(r.Text("path")), r.Inner("data")
	if err := value.CheckPath(path); err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", r.Text("path"), err)
		return
	}
	values, references := data.Mapping("data"), data.Records("secretKeyRef")
	if (values == nil) == (references == nil) {
		problems.Add(r.At, "data needs one of data and secretKeyRef")
		return
	}
	for _, each := range references {
		values = value.Merged(values, map[string]any{each.Text("key"): value.Reference(value.CallSecret, each.At, each.Text("name"), each.Text("key"))})
	}
	mount, declared := b.engine(b.ns + path)
	id := ID(strings.TrimPrefix(string(mount.ID), b.ns))
	if r.Text("type") == "pki" {
		b.add(caBundle(id, path, values, r.At), r.At, problems)
		return
	}
	wrapped := !declared || isVersion2(mount)
	b.add(startupValue(id, path, wrapped, values, data.Mapping("options")), r.At, problems)
}

// wholeNames are the auth methods that take whole names, and the keys of the seed under
// which they stand. Seen on Vault 1.21.
var wholeNames = map[string][]string{
	"kerberos": {"groups"},
	"ldap":     {"groups", "users"},
	"okta":     {"groups", "users"},
	"radius":   {"users"},
}
