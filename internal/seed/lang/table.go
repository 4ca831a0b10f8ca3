package lang

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
	// truth is a boolean.
	truth
	// duration is a duration as Vault parses it: 3600, 1h, 7d.
	duration
	// words is a list of texts, or one comma-separated text.
	words
	// free is a mapping whose keys Vault defines.
	free
	// one is a mapping with the keys of fields.
	one
	// many is a list of such mappings.
	many
	// named is such a list, or a mapping from names to such mappings.
	named
	// children is a mapping from paths below a mount to what is written to them.
	children
)

// key is one row of the table that defines the language: the parser uses it, and the reference and
// the editor schema are generated from it.
type key struct {
	name     string
	kind     kind
	required bool
	fields   []key
	// open allows keys besides fields in a mapping: they are Vault's own.
	open bool
	// prefix makes name the beginning of a key: "config/" stands for config/ANYTHING.
	prefix bool
	// values are the texts that are allowed; none if any text is.
	values []string
	about  string
	// example is the YAML after the key.
	example string
}

// language returns the top-level keys of a seed.
func language() []key {
	return append(perNamespace(),
		key{name: "namespaces", kind: many, fields: append([]key{
			{name: "path", kind: text, required: true, about: "path of the namespace", example: "team-a"},
			{name: "custom_metadata", kind: free, about: "texts about it"},
		}, perNamespace()...), about: "namespaces, each with what it holds; for servers that have them"},
		key{name: "prune", kind: text, values: []string{"none", "owned"}, about: "what happens to objects that the seed no longer names: nothing, or those that we created are deleted", example: "owned"},
		key{name: "purgeUnmanagedConfig", kind: one, fields: purgeKeys(), about: "as prune: owned; what others created is never deleted"},
		key{name: "tombstones", kind: many, fields: tombstoneKeys(), about: "mounts to disable, and namespaces to delete, with everything in them"},
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
		{name: "secretsOnce", kind: many, fields: onceKeys(), about: "values written to KV only if nothing is there yet"},
		{name: "requests", kind: many, fields: requestKeys(), about: "any other request, in order, for what no other key covers"},
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
		{name: "usersOrGroupsKey", kind: text, about: "accepted for the sake of existing files; has no effect"},
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
		{name: "intermediate", kind: one, open: true, fields: intermediateKeys(), about: "of pki: the engine's issuer, which another engine signs; made if there is none. Other keys, such as key_type, are fields of the signing request", example: "{signed_by: pki-root, common_name: Example Intermediate, key_type: ec, ttl: 8760h}"},
		{name: "configuration", kind: children, fields: childKeys(), about: "what is below PATH: child → list of mappings with a name, or one mapping", example: "{roles: [{name: web, allowed_domains: [example.org]}]}"},
	}
}

func intermediateKeys() []key {
	return []key{
		{name: "signed_by", kind: text, required: true, about: "path of the pki engine that signs it, which the seed declares", example: "pki-root"},
		{name: "common_name", kind: prose, required: true, about: "name of the issuer"},
		{name: "ttl", kind: duration, about: "how long the certificate is valid; the engine's default otherwise", example: "8760h"},
		{name: "max_path_length", kind: text, about: "how many issuers may be below it"},
	}
}

// childKeys returns the keys of an entry below a mount, besides Vault's own fields.
func childKeys() []key {
	return []key{
		{name: "name", kind: text, about: "last part of the path; without it the child itself is written"},
		{name: "create_only", kind: truth, about: "created if it is missing, never changed"},
		{name: "rotate", kind: truth, about: "created if it is missing; then the credential that it was given is rotated, once"},
		{name: "save_to", kind: text, about: "path in KV to which Vault's answer is written"},
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
		{name: "trim_request_trailing_slashes", kind: truth, about: "strip trailing slashes from paths"},
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

// holds reports whether the row k is for name.
func (k key) holds(name string) bool {
	rest, found := strings.CutPrefix(name, k.name)
	return found && (rest == "" && !k.prefix || rest != "" && k.prefix)
}

// The rows of what is not below a mount.

func entityKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the entity", example: "alice"},
		{name: "policies", kind: words, about: "policies that all its tokens get"},
		{name: "metadata", kind: free, about: "texts about it"},
		{name: "disabled", kind: truth, about: "its tokens are refused"},
	}
}

// aliasKeys returns the keys of an alias of an entity or a group.
func aliasKeys(of string) []key {
	keys := []key{
		{name: "name", kind: prose, required: true, about: "what the auth method calls it"},
		{name: "mountpath", kind: text, required: true, about: "path of the auth method", example: "oidc"},
		{name: of, kind: text, required: true, about: "name of the " + of},
	}
	if of == "entity" {
		keys = append(keys, key{name: "custom_metadata", kind: free, about: "texts about it"})
	}
	return keys
}

func groupKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the group", example: "admins"},
		{name: "type", kind: text, values: []string{"internal", "external"}, about: "internal by default; external groups have an alias instead of members"},
		{name: "policies", kind: words, about: "policies that its members get"},
		{name: "metadata", kind: free, about: "texts about it"},
		{name: "members", kind: words, about: "names of entities"},
		{name: "member_groups", kind: words, about: "names of groups"},
	}
}

func quotaKeys() []key {
	return []key{
		{name: "rate-limits", kind: named, open: true, fields: nameKey("name"), about: "written to sys/quotas/rate-limit/NAME", example: "[{name: global, rate: 1000}]"},
		{name: "lease-counts", kind: named, open: true, fields: nameKey("name"), about: "written to sys/quotas/lease-count/NAME, where the server has it"},
		{name: "config", kind: free, about: "written to sys/quotas/config"},
	}
}

func corsKeys() []key {
	return []key{
		{name: "allowed_origins", kind: words, required: true, about: "origins of the pages, or *", example: "[https://ui.example.org]"},
		{name: "allowed_headers", kind: words, about: "headers beyond those that Vault always allows"},
	}
}

func startupKeys() []key {
	return []key{
		{name: "type", kind: text, required: true, values: []string{"kv", "pki"}, about: "kv, or pki to import a CA (data: key and certificate)"},
		{name: "path", kind: text, required: true, about: "API path, of version 2 with data/ in it", example: "kv/data/app"},
		{name: "data", kind: one, required: true, fields: []key{
			{name: "data", kind: free, about: "the values"},
			{name: "options", kind: free, about: "such as cas"},
			{name: "secretKeyRef", kind: many, fields: referenceKeys(), about: "values from Kubernetes Secrets, under their keys"},
		}, about: "the values, or where they come from"},
	}
}

// referenceKeys returns the parts of a reference to a Kubernetes object.
func referenceKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the object"},
		{name: "key", kind: text, required: true, about: "key in its data"},
	}
}

func onceKeys() []key {
	return []key{
		{name: "path", kind: text, required: true, about: "path as the vault CLI writes it: mount, then name, without data/", example: "kv/app/database"},
		{name: "data", kind: free, required: true, about: "the values: literal, by reference, or generate: {length, alphabet} or {policy}", example: "{username: app, password: {generate: {length: 32}}}"},
	}
}

func requestKeys() []key {
	return []key{
		{name: "name", kind: text, required: true, about: "name of the request, for later ones and for messages"},
		{name: "path", kind: text, required: true, about: "API path without v1/", example: "pki-int/intermediate/generate/internal"},
		{name: "operation", kind: text, values: []string{"write", "delete"}, about: "write (the default) or delete"},
		{name: "data", kind: free, about: "the fields"},
		{name: "unless", kind: one, fields: []key{
			{name: "path", kind: text, required: true, about: "path to read"},
			{name: "field", kind: text, about: "field that must be there and not be empty"},
			{name: "value", kind: proseOrTruth, about: "what that field must be"},
		}, about: "the request is not needed when this is found; without it the request is sent once, and again when it changes"},
		{name: "save_to", kind: text, about: "path in KV to which Vault's answer is written"},
	}
}

func purgeKeys() []key {
	excluded := []key{}
	for _, name := range PurgeKinds() {
		excluded = append(excluded, key{name: name, kind: truth, about: "leave these alone"})
	}
	excluded = append(excluded, key{name: "groupAliases", kind: truth, about: "as group-aliases"})
	return []key{
		{name: "enabled", kind: truth, about: "as prune: owned"},
		{name: "exclude", kind: one, fields: excluded, about: "kinds that are never deleted"},
	}
}

// PurgeKinds returns the kinds that can be excluded from pruning.
func PurgeKinds() []string {
	return []string{"audit", "auth", "groups", "group-aliases", "plugins", "policies", "secrets", "startupSecrets"}
}

func tombstoneKeys() []key {
	return []key{
		{name: "namespace", kind: text, about: "path of the namespace that the mount is in; without a mount, the namespace itself is deleted", example: "team-a"},
		{name: "secrets", kind: text, about: "path of a secrets engine", example: "old-kv"},
		{name: "auth", kind: text, about: "path of an auth method"},
		{name: "destroy", kind: truth, required: true, about: "true: everything in it is lost"},
	}
}

func hardenKeys() []key {
	return []key{
		{name: "profile", kind: text, about: "baseline, production or strict; production by default"},
		{name: "require", kind: words, about: "controls that are required besides those of the profile"},
		{name: "advise", kind: words, about: "controls of the profile that are advice only"},
		{name: "fix", kind: words, about: "controls that run repairs; all for those that have a fix"},
		{name: "limits", kind: free, about: "values that controls compare with"},
		{name: "exceptions", kind: many, fields: []key{
			{name: "control", kind: text, required: true, about: "the control's ID"},
			{name: "object", kind: text, about: "what it applies to, as verify names it; all if absent"},
			{name: "reason", kind: text, required: true, about: "why it is accepted"},
			{name: "expires", kind: text, required: true, about: "its last day, such as 2027-01-31"},
		}, about: "failures that are accepted until a day"},
	}
}

// LoginKeys returns the names of the keys of a login besides its method, in their order.
func LoginKeys() []string {
	var names []string
	for _, k := range loginKeys()[1:] {
		names = append(names, k.name)
	}
	return names
}

func loginKeys() []key {
	return []key{
		{name: "method", kind: text, required: true, values: LoginMethods(), about: "the auth method", example: "kubernetes"},
		{name: "path", kind: text, about: "mount of the auth method; its type by default"},
		{name: "token_file", kind: prose, about: "of kubernetes, jwt and token-file: the file with the token, as --login-token-file"},
		{name: "audience", kind: prose, about: "of kubernetes and jwt: the token's audience; of azure the resource; of aws the server ID, as --login-audience", example: "vault"},
		{name: "kubernetes_host", kind: prose, about: "of kubernetes: URL at which Vault reaches the Kubernetes API, as --kubernetes-host"},
		{name: "principal", kind: prose, about: "of aws, gcp and azure: who may log in, as --login-principal"},
		{name: "password_file", kind: prose, about: "of userpass: the file with our password, as --login-password-file"},
		{name: "ca_file", kind: prose, about: "of cert: PEM file with the CA of our certificate, as --login-ca"},
		{name: "region", kind: prose, about: "of aws: region of STS, as --login-region"},
	}
}

// LoginRow says which keys a login method takes, and which of them it requires.
type LoginRow struct {
	Method      string
	Takes, Must []string
}

// LoginTable returns a row for each way to log in.
func LoginTable() []LoginRow {
	return []LoginRow{
		{"kubernetes", []string{"path", "token_file", "audience", "kubernetes_host"}, nil},
		{"approle", []string{"path"}, nil},
		{"jwt", []string{"path", "token_file", "audience"}, nil},
		{"userpass", []string{"path", "password_file"}, []string{"password_file"}},
		{"cert", []string{"path", "ca_file"}, nil},
		{"token-file", []string{"token_file"}, []string{"token_file"}},
		{"aws", []string{"path", "principal", "region", "audience"}, []string{"principal"}},
		{"gcp", []string{"path", "principal"}, []string{"principal"}},
		{"azure", []string{"path", "principal", "audience"}, []string{"principal"}},
	}
}

// LoginMethods returns the ways to log in.
func LoginMethods() []string {
	names := make([]string, 0, len(LoginTable()))
	for _, row := range LoginTable() {
		names = append(names, row.Method)
	}
	return names
}
