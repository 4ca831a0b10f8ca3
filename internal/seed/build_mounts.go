package seed

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

func addAuthMethods(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("auth") {
		b.auth(each, problems)
	}
}

// auth adds an auth method and the objects below it.
func (b *builder) auth(r lang.Record, problems *value.Problems) {
	path, ok := mountPath(r, problems)
	if !ok {
		return
	}
	kind := mountType(r)
	// What bank-vaults calls options of an auth method are the mount's settings.
	fields := withSettings(pick(r, "description", "local", "seal_wrap"), r, "options")
	b.add(object.AuthMount(path, kind, fields), r.At, problems)
	if config := r.Mapping("config"); config != nil {
		b.add(object.AuthConfig(path, kind, config), r.Positions["config"], problems)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		if !strings.HasPrefix(name, "config/") {
			continue
		}
		if err := value.CheckPath(name); err != nil {
			problems.Add(r.Positions[name], "the path %q cannot be used: %s", name, err)
			continue
		}
		b.add(object.AuthChild(path, kind, name, "", r.Mapping(name)), r.Positions[name], problems)
	}
	b.authRoles(r, path, kind, problems)
	b.githubMap(r, path, kind, problems)
	b.children(r, path, kind, "auth/"+path, object.AuthChild, problems)
}

// authRoles adds the named objects below an auth method.
func (b *builder) authRoles(r lang.Record, path, kind string, problems *value.Problems) {
	certificates := "config/certificate"
	if kind == "cert" {
		certificates = "certs"
	}
	for _, each := range []struct{ key, label, segment string }{
		{"roles", "name", object.RolesOf(kind)},
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
			b.childNamed(role, each.label, check, problems, func(name string) object.Object {
				if kind == "userpass" && each.key == "users" {
					return object.User(path, name, role.Rest)
				}
				o := object.AuthChild(path, kind, each.segment, name, role.Rest)
				if kind == "ldap" && (each.key == "users" || each.key == "groups") {
					o.MayFold = len(name)
					if foldsLDAP(r) {
						o.Folded = o.MayFold
					}
				}
				return o
			})
		}
	}
}

// githubMap adds the policies of teams and users.
func (b *builder) githubMap(r lang.Record, path, kind string, problems *value.Problems) {
	at := r.Positions["map"]
	groups := r.Mapping("map")
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		names, ok := groups[group].(map[string]any)
		if !ok || value.CheckName(group) != nil {
			problems.Add(at, "%q in map must be a mapping from names to policies", group)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			policies := names[name]
			if err := value.CheckName(name); err != nil {
				problems.Add(at, "the name %q cannot be used: %s", name, err)
				continue
			}
			if list, ok := policies.([]any); ok {
				joined, ok := value.Join(list, ",", at)
				if !ok {
					problems.Add(at, "the policies of %q in map must be texts", name)
					continue
				}
				policies = joined
			}
			b.add(object.AuthChild(path, kind, "map/"+group, name, map[string]any{"value": policies}), at, problems)
		}
	}
}

// wholeNames are the auth methods that accept whole names, and the keys of the seed that hold them,
// as seen on Vault 1.21.
var wholeNames = map[string][]string{
	"kerberos": {"groups"},
	"ldap":     {"groups", "users"},
	"okta":     {"groups", "users"},
	"radius":   {"users"},
}

// foldsLDAP reports whether an ldap method certainly ignores the case of names: its config decides,
// which is known only if it is declared as such.
func foldsLDAP(r lang.Record) bool {
	config := r.Mapping("config")
	if config == nil {
		return false
	}
	sensitive, declared := config["case_sensitive_names"]
	text, isScalar := value.ScalarText(sensitive)
	truth, err := strconv.ParseBool(text)
	return !declared || isScalar && err == nil && !truth
}

func addSecretsEngines(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("secrets") {
		b.secrets(each, problems)
	}
}

// reserved are the first segments of paths at which Vault 1.21 mounts no secrets engine.
var reserved = []string{"audit", "auth", "cubbyhole", "identity", "sys"}

// secrets adds a secrets engine and the objects below it.
func (b *builder) secrets(r lang.Record, problems *value.Problems) {
	path, ok := mountPath(r, problems)
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
	mount := object.SecretsMount(path, kind, fields)
	b.add(mount, r.At, problems)
	b.children(r, path, mount.Type, path, object.SecretsChild, problems)
	b.intermediate(r, path, mount.Type, problems)
}

// mountType returns the type of a mount, which for a plugin is the plugin's name.
func mountType(r lang.Record) string {
	if name := r.Text("plugin_name"); name != "" && r.Text("type") == "plugin" {
		return name
	}
	return r.Text("type")
}

// withSettings adds the settings of a mount, which are under key, to its fields.
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

// children adds what is declared under 'configuration'.
func (b *builder) children(
	r lang.Record, path, kind, root string, made func(path, kind, segment, name string, fields map[string]any) object.Object, problems *value.Problems,
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
			o := made(path, kind, c.Path, name, each.Rest)
			o.Traits.Once = o.Traits.Once || each.Yes("create_only") || each.Yes("rotate")
			if each.Yes("rotate") {
				if o.Traits.Rotate = object.RotationPath(root, kind, c.Path, name); o.Traits.Rotate == "" {
					problems.Add(each.At, "the credential of %s cannot be rotated: that is known for the config of aws, azure, database, gcp and ldap", o.ID)
				}
			}
			b.add(b.saved(o, each, b.ns, problems), each.At, problems)
		}
	}
}

// child adds an object whose name is under key in r.
func (b *builder) child(r lang.Record, key string, problems *value.Problems, made func(name string) object.Object) {
	b.childNamed(r, key, value.CheckName, problems, made)
}

// childNamed is child for a name that check judges.
func (b *builder) childNamed(r lang.Record, key string, check func(string) error, problems *value.Problems, made func(name string) object.Object) {
	if name, ok := nameOf(r, key, check, problems); ok {
		b.add(made(name), r.At, problems)
	}
}
