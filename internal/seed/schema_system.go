package seed

// The rows of what does not live below a mount.

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
		{name: "type", kind: text, values: []string{"internal", "external"}, about: "internal by default; external groups have an alias in the place of members"},
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
		{name: "path", kind: text, required: true, about: "path as the vault CLI has it: mount, then name, without data/", example: "kv/app/database"},
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
		{name: "save_to", kind: text, about: "path in KV that Vault's answer is written to"},
	}
}

func purgeKeys() []key {
	excluded := []key{}
	for _, name := range purgeKinds() {
		excluded = append(excluded, key{name: name, kind: truth, about: "leave these alone"})
	}
	excluded = append(excluded, key{name: "groupAliases", kind: truth, about: "as group-aliases"})
	return []key{
		{name: "enabled", kind: truth, about: "as prune: owned"},
		{name: "exclude", kind: one, fields: excluded, about: "kinds that are never deleted"},
	}
}

// purgeKinds returns the kinds that purging can be told to leave alone.
func purgeKinds() []string {
	return []string{"audit", "auth", "groups", "group-aliases", "plugins", "policies", "secrets", "startupSecrets"}
}

func tombstoneKeys() []key {
	return []key{
		{name: "namespace", kind: text, about: "path of the namespace that the mount is in; without a mount, the namespace itself goes", example: "team-a"},
		{name: "secrets", kind: text, about: "path of a secrets engine", example: "old-kv"},
		{name: "auth", kind: text, about: "path of an auth method"},
		{name: "destroy", kind: truth, required: true, about: "true: all that it holds is lost"},
	}
}
