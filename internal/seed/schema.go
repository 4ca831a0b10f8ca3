package seed

import "strings"

// kind says what a key of the language holds.
type kind int

const (
	// text is a text that must be known before references are resolved: names,
	// types, paths.
	text kind = iota
	// prose is a text that may hold references.
	prose
	// proseOrTruth is a text that may hold references, a number, or true or false.
	proseOrTruth
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
	// named is such a list, or a mapping from names to such mappings.
	named
	// children is a mapping from paths below a mount to what is written there.
	children
)

// key is one row of the table that the language is made of: the parser reads it,
// and the reference and the editor schema are generated from it.
type key struct {
	name     string
	kind     kind
	required bool
	fields   []key
	// open lets a mapping hold keys besides fields: they are Vault's own.
	open bool
	// prefix makes name the beginning of a key: "config/" stands for config/ANYTHING.
	prefix bool
	// values are the texts that are allowed; none if any is.
	values []string
	about  string
	// example is YAML as it stands after the key.
	example string
}

// language returns the top-level keys of a seed, as one namespace may hold them too.
func language() []key {
	return append(perNamespace(),
		key{name: "namespaces", kind: many, fields: append([]key{
			{name: "path", kind: text, required: true, about: "path of the namespace", example: "team-a"},
		}, perNamespace()...), about: "namespaces, each with what it holds; for servers that have them"},
		key{name: "prune", kind: text, values: []string{"none", "owned"}, about: "what happens to objects that the seed no longer names: nothing, or those that we created are deleted", example: "owned"},
		key{name: "purgeUnmanagedConfig", kind: one, fields: purgeKeys(), about: "as prune: owned; what others made is never deleted"},
		key{name: "tombstones", kind: many, fields: tombstoneKeys(), about: "mounts to disable, and namespaces to delete, with all that they hold"},
		key{name: "harden", kind: one, fields: hardenKeys(), about: "which controls are required, fixed and accepted"},
		key{name: "login", kind: many, fields: loginKeys(), about: "how later runs log in, tried in order; --login goes before it"},
	)
}

// perNamespace returns the keys of what lives in a namespace.
func perNamespace() []key {
	return []key{
		{name: "policies", kind: many, fields: policyKeys(), about: "ACL policies"},
		{name: "password-policies", kind: many, fields: policyKeys(), about: "rules by which Vault generates passwords"},
		{name: "audit", kind: many, fields: auditKeys(), about: "audit devices"},
		{name: "plugins", kind: many, fields: pluginKeys(), about: "entries of the plugin catalog"},
		{name: "auth", kind: many, fields: authKeys(), about: "auth methods with their configuration and roles"},
		{name: "secrets", kind: many, fields: secretsKeys(), about: "secrets engines with their configuration and roles"},
		{name: "tokens", kind: one, fields: []key{
			{name: "roles", kind: named, open: true, fields: nameKey("name"), about: "written to auth/token/roles/NAME"},
		}, about: "what concerns tokens"},
		{name: "entities", kind: many, fields: entityKeys(), about: "identity entities"},
		{name: "entity-aliases", kind: many, fields: aliasKeys("entity"), about: "who an entity is at an auth method, one for each method"},
		{name: "groups", kind: many, fields: groupKeys(), about: "identity groups"},
		{name: "group-aliases", kind: many, fields: aliasKeys("group"), about: "which group of an auth method an external group is, one for each group"},
		{name: "quotas", kind: one, fields: quotaKeys(), about: "limits on requests and leases"},
		{name: "ui-headers", kind: free, about: "headers that the UI sends: name → value, or a list of values", example: "{X-Frame-Options: DENY}"},
		{name: "cors", kind: one, fields: corsKeys(), about: "which web pages may call Vault"},
		{name: "startupSecrets", kind: many, fields: startupKeys(), about: "values to keep in KV (written when they differ), or a CA to import"},
		{name: "secretsOnce", kind: many, fields: onceKeys(), about: "values written to KV only where there is nothing yet"},
		{name: "requests", kind: many, fields: requestKeys(), about: "any other request, in order: the way out when no other key fits"},
	}
}

func nameKey(name string) []key {
	return []key{{name: name, kind: text, required: true, about: "last part of the path"}}
}

func policyKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the policy; Vault lower-cases that of an ACL policy", example: "app"},
		{name: "rules", kind: prose, required: true, about: "the policy in HCL or JSON", example: `'path "kv/data/app" { capabilities = ["read"] }'`},
	}
}

func auditKeys() []key {
	return []key{
		{name: "type", kind: text, required: true, about: "file, syslog or socket", example: "file"},
		{name: "path", kind: text, about: "where the device is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated"},
		{name: "options", kind: free, about: "the device's options, such as file_path", example: "{file_path: /vault/audit/audit.log}"},
	}
}

func pluginKeys() []key {
	return []key{
		{name: "plugin_name", kind: text, required: true, about: "name of the plugin"},
		{name: "type", kind: text, required: true, values: []string{"auth", "secret", "database"}, about: "auth, secret or database"},
		{name: "version", kind: text, about: "semantic version; none by default"},
		{name: "command", kind: prose, required: true, about: "file in Vault's plugin_directory"},
		{name: "sha256", kind: prose, required: true, about: "digest of that file"},
		{name: "args", kind: words, about: "its arguments"},
		{name: "env", kind: words, about: "its environment, as NAME=value"},
	}
}

func authKeys() []key {
	return []key{
		{name: "type", kind: text, required: true, about: "the auth method, such as kubernetes", example: "kubernetes"},
		{name: "path", kind: text, about: "where it is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated; cannot be changed later"},
		{name: "seal_wrap", kind: truth, about: "seal-wrapped storage; cannot be changed later"},
		{name: "plugin_name", kind: text, about: "the plugin, where the type is plugin"},
		{name: "plugin_version", kind: text, about: "version of the plugin"},
		{name: "options", kind: one, fields: tuningKeys(true), about: "the mount's settings, such as default_lease_ttl"},
		{name: "config", kind: free, about: "written to auth/PATH/config; for aws to auth/PATH/config/client", example: "{kubernetes_host: https://kubernetes.default.svc}"},
		{name: "config/", prefix: true, kind: free, about: "written to auth/PATH/config/…, such as config/identity of aws", example: "{iam_metadata: [canonical_arn]}"},
		{name: "roles", kind: named, open: true, fields: nameKey("name"), about: "written to auth/PATH/role/NAME (cert: certs, token and cf: roles)", example: "[{name: app, bound_service_account_names: [app], bound_service_account_namespaces: [app], token_policies: [app]}]"},
		{name: "users", kind: named, open: true, fields: nameKey("username"), about: "written to auth/PATH/users/NAME"},
		{name: "groups", kind: named, open: true, fields: nameKey("name"), about: "written to auth/PATH/groups/NAME (ldap, okta, kerberos)"},
		{name: "map", kind: free, about: "of github: teams and users, each name → policies; written to auth/PATH/map/…", example: "{teams: {dev: dev}}"},
		{name: "crls", kind: named, open: true, fields: nameKey("name"), about: "of cert: written to auth/PATH/crls/NAME"},
		{name: "certificates", kind: named, open: true, fields: nameKey("name"), about: "of cert: as roles; of aws: written to auth/PATH/config/certificate/NAME"},
		{name: "crossaccountrole", kind: many, open: true, fields: nameKey("sts_account"), about: "of aws: written to auth/PATH/config/sts/ACCOUNT"},
		{name: "usersOrGroupsKey", kind: text, about: "accepted for the sake of existing files; means nothing"},
		{name: "configuration", kind: children, fields: childKeys(), about: "anything else below auth/PATH: child → list of mappings with a name, or one mapping", example: "{tune/x: [{name: y}]}"},
	}
}

func secretsKeys() []key {
	return []key{
		{name: "type", kind: text, required: true, about: "the secrets engine, such as kv", example: "kv"},
		{name: "path", kind: text, about: "where it is enabled; the type by default"},
		{name: "description", kind: prose, about: "for people"},
		{name: "local", kind: truth, about: "not replicated; cannot be changed later"},
		{name: "seal_wrap", kind: truth, about: "seal-wrapped storage; cannot be changed later"},
		{name: "external_entropy_access", kind: truth, about: "may use the seal's randomness; cannot be changed later"},
		{name: "plugin_name", kind: text, about: "the plugin, where the type is plugin"},
		{name: "plugin_version", kind: text, about: "version of the plugin"},
		{name: "options", kind: free, about: "the engine's options, such as version for kv", example: "{version: 2}"},
		{name: "config", kind: one, fields: tuningKeys(false), about: "the mount's settings, such as max_lease_ttl"},
		{name: "configuration", kind: children, fields: childKeys(), about: "what lives below PATH: child → list of mappings with a name, or one mapping", example: "{roles: [{name: web, allowed_domains: [example.org]}]}"},
	}
}

// childKeys returns what an entry below a mount may hold besides Vault's own fields.
func childKeys() []key {
	return []key{
		{name: "name", kind: text, about: "last part of the path; without it the child itself is written"},
		{name: "create_only", kind: truth, about: "made where it is missing, never changed"},
		{name: "rotate", kind: truth, about: "made where it is missing, then the credential that it was given is rotated, once"},
		{name: "save_to", kind: text, about: "path in KV that Vault's answer is written to"},
	}
}

// tuningKeys returns the settings that every mount has.
func tuningKeys(auth bool) []key {
	keys := []key{
		{name: "default_lease_ttl", kind: duration, about: "default lease time; system for the server's", example: "1h"},
		{name: "max_lease_ttl", kind: duration, about: "longest lease time; system for the server's", example: "24h"},
		{name: "audit_non_hmac_request_keys", kind: words, about: "request keys that audit logs show in the clear"},
		{name: "audit_non_hmac_response_keys", kind: words, about: "response keys that audit logs show in the clear"},
		{name: "listing_visibility", kind: text, about: "unauth or hidden"},
		{name: "passthrough_request_headers", kind: words, about: "headers passed on to the plugin"},
		{name: "allowed_response_headers", kind: words, about: "headers that the plugin may set"},
		{name: "plugin_version", kind: text, about: "version of the plugin"},
		{name: "identity_token_key", kind: text, about: "key for the identity tokens of plugins"},
		{name: "trim_request_trailing_slashes", kind: truth, about: "take slashes off the end of paths"},
	}
	if auth {
		return append(keys,
			key{name: "token_type", kind: text, about: "default-service, default-batch, service or batch"},
			key{name: "user_lockout_config", kind: one, fields: []key{
				{name: "lockout_threshold", kind: text, about: "failed logins before a user is locked out"},
				{name: "lockout_duration", kind: duration, about: "how long"},
				{name: "lockout_counter_reset_duration", kind: duration, about: "when failed logins are forgotten"},
				{name: "lockout_disable", kind: truth, about: "nobody is locked out"},
			}, about: "of userpass, ldap and approle: when users are locked out"})
	}
	return append(keys,
		key{name: "force_no_cache", kind: truth, about: "no caching; cannot be changed later"},
		key{name: "allowed_managed_keys", kind: words, about: "managed keys that the engine may use"},
		key{name: "delegated_auth_accessors", kind: words, about: "auth mounts that the engine may delegate to"},
	)
}

// holds reports whether name is one that the row k is about.
func (k key) holds(name string) bool {
	rest, found := strings.CutPrefix(name, k.name)
	return found && (rest == "" && !k.prefix || rest != "" && k.prefix)
}
