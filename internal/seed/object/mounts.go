package object

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// AuditDevice returns the audit device kind at path. Fields may hold description,
// local and options.
func AuditDevice(path, kind string, fields map[string]any) Object {
	data := mountFields(fields)
	data["type"] = kind
	return Object{ID: ID("sys/audit/" + value.TrimPath(path)), Stage: StageAudit, Type: kind, Data: data, Endpoint: "audit"}
}

// AuthMount returns the auth method kind at path. Fields may hold description,
// local, seal_wrap, options and config (the mount's settings).
func AuthMount(path, kind string, fields map[string]any) Object {
	return mount("sys/auth/", path, kind, fields)
}

// SecretsMount returns the secrets engine kind at path. Fields are those of AuthMount.
func SecretsMount(path, kind string, fields map[string]any) Object {
	// These types are aliases of kv that Vault never shows.
	if version, ok := strings.CutPrefix(kind, "kv-v"); ok && (version == "1" || version == "2") {
		given, _ := fields["options"].(map[string]any)
		options := map[string]any{"version": version}
		maps.Copy(options, given)
		fields = maps.Clone(fields)
		if fields == nil {
			fields = map[string]any{}
		}
		kind, fields["options"] = "kv", options
	}
	return mount("sys/mounts/", path, kind, fields)
}

func mount(prefix, path, kind string, fields map[string]any) Object {
	data := mountFields(fields)
	data["type"] = kind
	return Object{ID: ID(prefix + value.TrimPath(path)), Stage: StageMounts, Type: kind, Data: data, Endpoint: "mount"}
}

// mountFields returns fields with the values of options as strings: they are strings in Vault,
// which would turn true into "1".
func mountFields(fields map[string]any) map[string]any {
	data := value.Protect(fields)
	if options, ok := data["options"].(map[string]any); ok {
		for name, v := range options {
			if text, ok := value.ScalarText(v); ok {
				options[name] = text
			}
		}
	}
	return data
}

// CheckedFields returns the names of the fields that Vault is asked about, sorted: of a mount, the
// settings that a tune request takes.
func (o Object) CheckedFields() []string {
	fields := o.Data
	if o.IsMount() {
		fields, _ = o.Data["config"].(map[string]any)
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), func(name string) bool {
		return o.IsMount() && name == "force_no_cache" // taken only at creation
	})
}

// FieldsPath returns the path that Vault is asked about o's fields at. What Vault 1.21 and OpenBao
// 2.6 say about the path that creates a mount does not name its settings.
func (o Object) FieldsPath() string {
	if o.IsMount() {
		return string(o.ID) + "/tune"
	}
	return o.WritePath()
}

// IsVersion2 reports whether a KV engine is of version 2.
func IsVersion2(mount Object) bool {
	options, _ := mount.Data["options"].(map[string]any)
	return value.ToText(options["version"]) == "2"
}

// Flatten returns o's fields, with those of config and options under dotted names, since we manage
// only the ones that the seed names.
func Flatten(o Object) map[string]any {
	flat := map[string]any{}
	for name, value := range o.Data {
		inner, nested := value.(map[string]any)
		if !nested || !o.IsMount() && !o.IsAudit() {
			flat[name] = value
			continue
		}
		for key, v := range inner {
			if lockout, ok := v.(map[string]any); ok && key == LockoutConfig {
				for field, value := range lockout {
					flat[name+"."+key+"."+field] = value
				}
				continue
			}
			flat[name+"."+key] = v
		}
	}
	return flat
}

// LockoutConfig is a setting of auth methods that holds several settings, and that Vault accepts
// only in a tune request.
const LockoutConfig = "user_lockout_config"

// Lookup returns the value of entry under a dotted name.
func Lookup(entry map[string]any, name string) any {
	outer, inner, nested := strings.Cut(name, ".")
	if !nested {
		return entry[name]
	}
	group, _ := entry[outer].(map[string]any)
	shown := group[inner]
	if name == "config.plugin_version" {
		return entry[inner]
	}
	if field, ok := strings.CutPrefix(inner, LockoutConfig+"."); ok { // shown under longer names
		lockout, _ := group[LockoutConfig].(map[string]any)
		return lockout["user_"+field]
	}
	if shown == nil && name == "options.version" && entry["type"] == "kv" {
		return "1" // what Vault takes a kv mount without a version for
	}
	return shown
}

// SameSetting compares a setting of a mount or device. Vault's lists of settings
// have no order.
func SameSetting(name string, want, shown any) bool {
	want = value.Reveal(want)
	if list, ok := want.([]any); ok {
		other, _ := shown.([]any)
		a, _ := value.AsSet(name, list)
		b, _ := value.AsSet(name, other)
		return slices.Equal(a, b)
	}
	if name == "config.plugin_version" {
		version, _ := value.ScalarText(want)
		other, _ := shown.(string)
		return version == other || version != "" && other != "" && canonicalVersion(version) == canonicalVersion(other)
	}
	return value.Same(name, want, shown)
}
