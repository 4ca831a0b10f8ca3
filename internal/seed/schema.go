package seed

// kind says what a key of the language holds.
type kind int

const (
	// text is a text that must be known before references are resolved: names,
	// types, paths.
	text kind = iota
	// prose is a text that may hold references.
	prose
	// truth is true or false.
	truth
	// duration is a length of time as Vault reads it: 3600, 1h, 7d.
	duration
	// words is a list of texts, or one text with commas.
	words
	// free is a mapping whose keys Vault defines, not we.
	free
	// one is a mapping with the keys of fields.
	one
	// many is a list of such mappings.
	many
	// later is part of the full language and not built yet.
	later
)

// key is one row of the table that the language is made of: the parser reads it,
// and the reference and the editor schema are to be generated from it.
type key struct {
	name     string
	kind     kind
	required bool
	fields   []key
	// open lets a mapping hold keys besides fields: they are Vault's own.
	open  bool
	about string
}

// language returns the top-level keys of a seed.
func language() []key {
	return append([]key{
		{name: "policies", kind: many, fields: policyKeys(), about: "ACL policies"},
		{name: "audit", kind: many, fields: auditKeys(), about: "audit devices"},
		{name: "auth", kind: many, fields: authKeys(), about: "auth methods with their configuration and roles"},
		{name: "secrets", kind: many, fields: secretsKeys(), about: "secrets engines"},
		{name: "harden", kind: one, fields: hardenKeys(), about: "which controls are required, fixed and accepted"},
	}, notYet("groups", "group-aliases", "entities", "entity-aliases", "plugins", "startupSecrets", "secretsOnce",
		"purgeUnmanagedConfig", "prune", "password-policies", "quotas", "ui-headers", "cors", "tokens", "namespaces",
		"requests", "controls")...)
}

// notYet returns rows for keys of the full language.
func notYet(names ...string) []key {
	keys := make([]key, len(names))
	for i, name := range names {
		keys[i] = key{name: name, kind: later}
	}
	return keys
}

func policyKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the policy; Vault lower-cases it"},
		{name: "rules", kind: prose, required: true, about: "the policy in HCL or JSON"},
	}
}

func auditKeys() []key {
	return []key{
		{name: "type", kind: text, required: true, about: "file, syslog or socket"},
		{name: "path", kind: text, about: "where the device is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated"},
		{name: "options", kind: free, about: "the device's options, such as file_path"},
	}
}

func authKeys() []key {
	return append([]key{
		{name: "type", kind: text, required: true, about: "the auth method, such as kubernetes"},
		{name: "path", kind: text, about: "where it is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated; cannot be changed later"},
		{name: "seal_wrap", kind: truth, about: "seal-wrapped storage; cannot be changed later"},
		{name: "options", kind: one, fields: tuningKeys(true), about: "the mount's settings, such as default_lease_ttl"},
		{name: "config", kind: free, about: "written to auth/PATH/config"},
		{name: "roles", kind: many, open: true, fields: []key{{name: "name", kind: text, required: true}}, about: "written to auth/PATH/role/NAME"},
		{name: "users", kind: many, open: true, fields: []key{{name: "username", kind: text, required: true}}, about: "of userpass, written to auth/PATH/users/NAME"},
	}, notYet("groups", "map", "crls", "certificates", "crossaccountrole", "usersOrGroupsKey", "plugin_name", "plugin_version")...)
}

func secretsKeys() []key {
	return append([]key{
		{name: "type", kind: text, required: true, about: "the secrets engine, such as kv"},
		{name: "path", kind: text, about: "where it is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated; cannot be changed later"},
		{name: "seal_wrap", kind: truth, about: "seal-wrapped storage; cannot be changed later"},
		{name: "options", kind: free, about: "the engine's options, such as version for kv"},
		{name: "config", kind: one, fields: tuningKeys(false), about: "the mount's settings, such as max_lease_ttl"},
	}, notYet("configuration", "external_entropy_access", "plugin_name", "plugin_version")...)
}

// tuningKeys returns the settings that every mount has.
func tuningKeys(auth bool) []key {
	keys := []key{
		{name: "default_lease_ttl", kind: duration, about: "default lease time; system for the server's"},
		{name: "max_lease_ttl", kind: duration, about: "longest lease time; system for the server's"},
		{name: "audit_non_hmac_request_keys", kind: words, about: "request keys that audit logs show in the clear"},
		{name: "audit_non_hmac_response_keys", kind: words, about: "response keys that audit logs show in the clear"},
		{name: "listing_visibility", kind: text, about: "unauth or hidden"},
		{name: "passthrough_request_headers", kind: words, about: "headers passed on to the plugin"},
		{name: "allowed_response_headers", kind: words, about: "headers that the plugin may set"},
	}
	if auth {
		return append(append(keys, key{name: "token_type", kind: text, about: "default-service, default-batch, service or batch"}),
			notYet("user_lockout_config", "plugin_version", "identity_token_key", "trim_request_trailing_slashes")...)
	}
	return append(append(keys,
		key{name: "force_no_cache", kind: truth, about: "no caching; cannot be changed later"},
		key{name: "allowed_managed_keys", kind: words, about: "managed keys that the engine may use"},
		key{name: "delegated_auth_accessors", kind: words, about: "auth mounts that the engine may delegate to"},
	), notYet("plugin_version", "identity_token_key", "trim_request_trailing_slashes")...)
}
