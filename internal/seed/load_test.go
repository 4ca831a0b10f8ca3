package seed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// write puts text into a file of a new directory and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	put(t, path, text)
	return path
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// env looks variables up in a mapping.
func env(values map[string]string) seed.Resolver {
	return seed.Resolver{Env: func(name string) (string, bool) {
		value, found := values[name]
		return value, found
	}}
}

// desired returns the objects of the seed at path.
func desired(t *testing.T, path string, resolver seed.Resolver) []object.Object {
	t.Helper()
	s, err := seed.Load([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := s.Objects(t.Context(), resolver)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown top-level key", "polices: []\n", `s.yaml:1:1: the key "polices" is unknown; did you mean "policies"?`},
		{"unknown inner key", "secrets:\n  - type: kv\n    descripton: x\n", `s.yaml:3:5: the key "descripton" is unknown; did you mean "description"?`},
		{"nothing near", "policies:\n  - name: a\n    zzzzzz: b\n    rules: c\n", `s.yaml:3:5: the key "zzzzzz" is unknown; known are name, rules`},
		{"setting of a mount", "secrets:\n  - type: kv\n    config: {max_lease: 1h}\n", `s.yaml:3:14: the key "max_lease" is unknown; did you mean "max_lease_ttl"?`},
		{"another name of harden", "controls: []\n", `s.yaml:1:1: the key "controls" is unknown; known are policies, `},
		{"unknown login", "login: [{method: ldap}]\n", `s.yaml:1:18: "method" must be one of kubernetes, approle, jwt, userpass, cert, token-file, aws, gcp, azure`},
		{"misspelt login", "login: [{method: jwt, token_fil: x}]\n", `s.yaml:1:23: the key "token_fil" is unknown; did you mean "token_file"?`},
		{"login without method", "login: [{path: x}]\n", `s.yaml:1:9: the key "method" is missing`},
		{"login by a foreign key", "login: [{method: approle, token_file: x}]\n", `s.yaml:1:27: the login method "approle" does not take the key "token_file"; it takes path`},
		{"login that lacks something", "login: [{method: aws}]\n", `s.yaml:1:9: the login method "aws" needs the key "principal"`},
		{"login twice", "login: [{method: jwt}, {method: jwt, path: y}]\n", `s.yaml:1:24: duplicate login method "jwt"`},
		{"logins at one path", "login: [{method: jwt}, {method: approle, path: jwt/}]\n", `s.yaml:1:24: two login methods are at the path "jwt"`},
		{"login at no path", "login: [{method: jwt, path: 'a*'}]\n", `s.yaml:1:23: the path "a*" cannot be used`},
		{"login with an empty file", "login: [{method: userpass, password_file: ''}]\n", `s.yaml:1:28: the key "password_file" is empty`},
		{"login from a Secret", "login: [{method: gcp, principal: '${ secretKeyRef \"a\" \"b\" }'}]\n", `s.yaml:1:23: "principal" may refer to env and configMapKeyRef only`},
		{"login path that refers", "login: [{method: jwt, path: '${ env \"A\" }'}]\n", `"path" cannot hold a reference`},
		{"token in the place of its file", "login: [{method: token-file, token_file: hvs.CAES}]\n", `s.yaml:1:30: "token_file" holds a token instead of the name of a file`},
		{"unknown child of an auth method", "auth:\n  - {type: x, rolls: []}\n", `s.yaml:2:15: the key "rolls" is unknown; did you mean "roles"?`},
		{"child that is no mapping", "secrets:\n  - {type: pki, configuration: {roles: [a]}}\n", `s.yaml:2:41: expected a mapping, found a text`},
		{"not one of the values", "prune: all\n", `s.yaml:1:8: "prune" must be one of none, owned`},
		{"tombstone without prune", "tombstones: [{secrets: a, destroy: true}]\n", `s.yaml:1:14: tombstones need prune: owned`},
		{"tombstone that keeps", "prune: owned\ntombstones: [{secrets: a, destroy: false}]\n", `a tombstone needs destroy: true`},
		{"tombstone of what is declared", "prune: owned\nsecrets: [{type: kv}]\ntombstones: [{secrets: kv, destroy: true}]\n", `s.yaml:3:14: sys/mounts/kv has a tombstone and is declared`},
		{"prune and purge that contradict", "prune: none\npurgeUnmanagedConfig: {enabled: true}\n", `s.yaml:2:24: purgeUnmanagedConfig: {enabled: true} contradicts prune: none, at `},
		{"purge and prune that contradict", "purgeUnmanagedConfig: {enabled: false}\nprune: owned\n", `s.yaml:1:24: purgeUnmanagedConfig: {enabled: false} contradicts prune: owned, at `},
		{"tombstone of nothing", "prune: owned\ntombstones: [{destroy: true}]\n", `s.yaml:2:14: a tombstone names one of secrets and auth, or a namespace`},
		{"tombstone of two mounts", "prune: owned\ntombstones: [{namespace: n, secrets: a, auth: b, destroy: true}]\n", `s.yaml:2:14: a tombstone names one of secrets and auth, or a namespace`},
		{"tombstone at no path", "prune: owned\ntombstones: [{namespace: 'a*', destroy: true}]\n", `s.yaml:2:14: the path "a*" cannot be used: it holds`},
		{"tombstone of a namespace that is declared", "prune: owned\nnamespaces: [{path: n}]\ntombstones: [{namespace: n, destroy: true}]\n", `s.yaml:3:14: sys/namespaces/n has a tombstone and is declared`},
		{"tombstone around what is declared", "prune: owned\nnamespaces: [{path: n/m}]\ntombstones: [{namespace: n, destroy: true}]\n", `s.yaml:3:14: n/sys/namespaces/m has a tombstone and is declared`},
		{"tombstone of a declared mount in a namespace", "prune: owned\nnamespaces: [{path: n, secrets: [{type: kv}]}]\ntombstones: [{namespace: n, secrets: kv, destroy: true}]\n", `s.yaml:3:14: n/sys/mounts/kv has a tombstone and is declared`},
		{"value in no engine", "secretsOnce: [{path: kv/a, data: {a: b}}]\n", `s.yaml:1:15: "kv/a" is not in a kv engine that the seed declares`},
		{"unknown key of a generator", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {size: 3}}}}]\n", `generate takes length and alphabet, or policy; "size" is unknown`},
		{"tombstone of a word of Vault's", "prune: owned\ntombstones: [{namespace: sys, destroy: true}]\n", `the namespace "sys" cannot be used: sys is Vault's own`},
		{"audit device in a namespace", "namespaces: [{path: a, audit: [{type: file, options: {file_path: /x}}]}]\n", `s.yaml:1:24: audit cannot be in the namespace "a": audit devices belong to the server as a whole`},
		{"CORS in a namespace", "namespaces: [{path: a, cors: {allowed_origins: [x]}}]\n", `cors cannot be in the namespace "a": the CORS settings belong to the server as a whole`},
		{"metadata that is no text", "namespaces: [{path: a, custom_metadata: {x: [y]}}]\n", `"x" in custom_metadata must be a text`},
		{"namespace of a word of Vault's", "namespaces: [{path: a/identity}]\n", `the namespace "a/identity" cannot be used: identity is Vault's own`},
		{"tombstone of what values go to", "prune: owned\ntombstones: [{secrets: kv, destroy: true}]\nstartupSecrets: [{type: kv, path: kv/data/a, data: {data: {a: b}}}]\n", `kv/data/a has a tombstone and is declared, at `},
		{"tombstone of what an answer goes to", "prune: owned\ntombstones: [{secrets: kv, destroy: true}]\nrequests: [{name: a, path: b, save_to: kv/a}]\n", `request:a has a tombstone and is declared, at `},
		{"tombstone of what a request goes to", "prune: owned\ntombstones: [{auth: ci, destroy: true}]\nrequests: [{name: a, path: auth/ci/role/x}]\n", `request:a has a tombstone and is declared, at `},
		{"tombstone of what is excluded", "prune: owned\npurgeUnmanagedConfig: {exclude: {secrets: true}}\ntombstones: [{secrets: old, destroy: true}]\n", `sys/mounts/old has a tombstone, and purgeUnmanagedConfig excludes what it is`},
		{"two spellings of a version", "plugins: [{plugin_name: x, type: secret, command: x, sha256: s, version: 1.2}, {plugin_name: x, type: secret, command: x, sha256: s, version: v1.2.0}]\n", `is declared twice, first at`},
		{"generator without a name", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {generate: {length: 20}}}]\n", `generate is used where a name is expected: write NAME: {generate: {length: 32}}`},
		{"reference without quotes", "entities:\n  - {name: a, metadata: {y: '${ env B }'}}\n", `this reference is not understood: write ${ env "NAME" }`},
		{"generator that is no mapping", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: 20}}}]\n", `s.yaml:2:15: "a": write {generate: {length: 32}}`},
		{"generator beside something", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {length: 20}, note: x}}}]\n", `s.yaml:2:15: "a": write {generate: {length: 32}}, with nothing else beside generate`},
		{"unknown key of a generator in a list", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: [{generate: {size: 3}}]}}]\n", `"size" is unknown`},
		{"length with a tail", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {length: 12abc}}}}]\n", `length must be from 8 to 4096`},
		{"alphabet of one letter", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {alphabet: aa}}}}]\n", `alphabet must have at least two characters, each once`},
		{"policy of a generator elsewhere", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {policy: ../acl/x}}}}]\n", `the name "../acl/x" of the password policy cannot be used`},
		{"place to save with an empty name", "secrets: [{type: pki, configuration: {root/generate: [{name: exported, save_to: kv//ca}]}}]\n", `save_to: the path "kv//ca" cannot be used: it is empty`},
		{"empty place to save", "secrets: [{type: pki, configuration: {root/generate: [{name: exported, save_to: ''}]}}]\n", `save_to: the path "" cannot be used: it is empty`},
		{"request with v1", "requests: [{name: a, path: /v1/sys/x}]\n", `s.yaml:1:22: the path "/v1/sys/x" cannot be used: write it without v1/`},
		{"two versions of kv", "secrets: [{type: kv-v2, path: kv, options: {version: 1}}]\n", `the type kv-v2 is a kv engine of version 2, and options.version is 1`},
		{"condition on a list", "requests: [{name: a, path: b, unless: {path: c, field: d, value: [e]}}]\n", `"value" must be a text, found a list`},
		{"intermediate of kv", "secrets: [{type: kv, intermediate: {signed_by: root, common_name: x}}]\n", `only a pki engine has an intermediate`},
		{"signed by itself", "secrets: [{type: pki, intermediate: {signed_by: pki, common_name: x}}]\n", `"pki" is not another pki engine that the seed declares`},
		{"signed by kv", "secrets: [{type: kv}, {type: pki, intermediate: {signed_by: kv, common_name: x}}]\n", `"kv" is not another pki engine`},
		{"signed before its signer is", "secrets:\n  - {type: pki, path: c, intermediate: {signed_by: b, common_name: x}}\n  - {type: pki, path: b, intermediate: {signed_by: a, common_name: x}}\n  - {type: pki, path: a}\n", `"b" is signed by another engine itself: declare it before this one`},
		{"short secret", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {length: 3}}}}]\n", `length must be from 8 to 4096`},
		{"groups in a circle", "groups:\n  - {name: a, member_groups: [b]}\n  - {name: b, member_groups: [a]}\n", `s.yaml:2:5: identity/group/name/a is a member of itself, through its member groups: identity/group/name/a → identity/group/name/b → identity/group/name/a`},
		{"second alias of an entity", "entity-aliases:\n  - {name: a, mountpath: oidc, entity: e}\n  - {name: b, mountpath: ldap, entity: e}\n  - {name: c, mountpath: /oidc/, entity: e}\n", `s.yaml:4:5: identity/entity-alias/e/c/oidc: an entity has one alias at each auth method, and there is one at `},
		{"second alias of a group", "group-aliases:\n  - {name: a, mountpath: oidc, group: g}\n  - {name: a, mountpath: ldap, group: g}\n", `s.yaml:3:5: identity/group-alias/g/a/ldap: a group has one alias, and there is one at `},
		{"value that refers to itself", "secrets: [{type: kv-v1, path: kv}]\nsecretsOnce: [{path: kv/a, data: {x: '${ vault \"kv/a\" \"y\" }'}}]\n", `s.yaml:2:15: references form a cycle: kv/a → kv/a`},
		{"values in a circle", "secrets: [{type: kv-v1, path: kv}]\nsecretsOnce:\n  - {path: kv/a, data: {x: '${ vault \"kv/b\" \"x\" }'}}\n  - {path: kv/b, data: {x: '${ vault \"kv/c\" \"x\" }'}}\n  - {path: kv/c, data: {x: '${ vault \"kv/b\" \"x\" }'}}\n", `s.yaml:4:5: references form a cycle: kv/b → kv/c → kv/b`},
		{"mounts in a circle", "auth:\n  - {type: approle, description: '${ accessor \"kv\" }'}\nsecrets:\n  - {type: kv, description: '${ accessor \"approle\" }'}\n", `references form a cycle: sys/auth/approle → sys/mounts/kv → sys/auth/approle`},
		{"no length of time", "secrets:\n  - {type: kv, config: {max_lease_ttl: soon}}\n", `s.yaml:2:40: "max_lease_ttl" must be a duration, such as 90, 30m, 1h30m or 7d`},
		{"time that runs back", "auth:\n  - {type: x, options: {default_lease_ttl: -5m}}\n", `"default_lease_ttl" must be a duration`},
		{"key of any length", "? " + strings.Repeat("polic", 100_000) + "\n: x\n", `the key that begins with "` + strings.Repeat("polic", 16) + `" is unknown`},
		{"brackets without an end", strings.Repeat("[", 1<<20), `s.yaml:1: not valid YAML: exceeded max depth of 10000`},
		{"dashes without an end", strings.Repeat("- ", 1<<19), `s.yaml:1: not valid YAML: exceeded max depth of 10000`},
		{"tab within", "policies:\n  - name: a\n\t  rules: ''\n", `s.yaml:2: not valid YAML: found a tab character that violates indentation`},
		{"anchor from nowhere", "policies: *a\n", `s.yaml:1: not valid YAML: unknown anchor 'a' referenced`},
		{"merge of a list", "auth: [{type: x, config: {<<: [1]}}]\n", `s.yaml:1:32: a merge key (<<) takes mappings only`},
		{"control character", "policies: \x00\n", `control characters are not allowed`},
		{"answer from nowhere", "requests:\n  - {name: a, path: x, data: {y: '${ answer \"b\" \"c\" }'}}\n", `there is no request "b"`},
		{"answer from later", "requests:\n  - {name: a, path: x, data: {y: '${ answer \"b\" \"c\" }'}}\n  - {name: b, path: x}\n", `the request "b" comes later`},
		{"answer outside of requests", "requests: [{name: b, path: x}]\nentities:\n  - {name: a, metadata: {y: '${ answer \"b\" \"c\" }'}}\n", `only requests can refer to the answer`},
		{"reference with too little", "entities:\n  - {name: a, metadata: {y: '${ vault \"b\" }'}}\n", `write ${ vault "PATH" "FIELD" }`},
		{"reference of two kinds", "entities:\n  - {name: a, metadata: {y: {valueFrom: {}}}}\n", `valueFrom takes one of secretKeyRef and configMapKeyRef`},
		{"blob", "entities:\n  - {name: a, metadata: {y: '${ blob \"b\" }'}}\n", `"blob" is not supported: put the object's content into a file`},
		{"nested call", "entities:\n  - {name: a, metadata: {y: '${ awskms (env \"B\") }'}}\n", `the reference that begins with "awskms" is more than one call`},
		{"pipe", "entities:\n  - {name: a, metadata: {y: '${ env \"B\" | b64dec }'}}\n", `the reference that begins with "env" is more than one call`},
		{"quotes within quotes, and an error below", "auth:\n  - {type: x, config: {a: \"${env \"B\"}\"}}\n  - {typ: x}\n", `s.yaml:3:6: the key "typ" is unknown`},
		{"quotes within quotes, and no YAML", "auth:\n  - {type: x, config: {a: \"${env \"B\"}\"}\n", `s.yaml:1: not valid YAML: did not find expected ',' or '}'`},
		{"custom resource", "apiVersion: vault.example.com/v1\nkind: Vault\nspec: {}\n---\na: b\n", `s.yaml:1:1: this is a Kubernetes object of kind "Vault", not a seed; a seed is the part below spec.externalConfig`},
		{"ConfigMap", "kind: ConfigMap\napiVersion: v1\n", `not a seed; a seed is the value of one key of its data`},
		{"policy that does not parse", "policies:\n  - {name: a, rules: 'path \"x\" {'}\n", `s.yaml:2:5: sys/policies/acl/a: not a valid policy, line 1 of it: `},
		{"policy that is something else", "policies:\n  - {name: a, rules: 'role \"x\" {}'}\n", `Vault does not recognize the block "role"`},
		{"policy of brackets", "policies:\n  - {name: a, rules: '" + strings.Repeat("[", 100_000) + "'}\n", `brackets nest more than 100 deep`},
		{"policy that is empty", "policies:\n  - {name: a, rules: ''}\n", `s.yaml:2:5: sys/policies/acl/a: not a valid policy: it is empty, and Vault accepts no empty policy`},
		{"policy that Vault keeps", "policies:\n  - {name: Root, rules: 'path \"x\" {}'}\n", `s.yaml:2:5: sys/policies/acl/root: this policy is built into Vault and cannot be written; use another name`},
		{"two wildcards in one", "policies:\n  - {name: a, rules: 'path \"a/+*\" {}'}\n", `s.yaml:2:5: sys/policies/acl/a: not a valid policy, line 1 of it: the path "a/+*" has +*, which Vault forbids`},
		{"braces without an end", "policies:\n  - {name: a, rules: 'path \"a/{{identity.entity.id}\" {}'}\n", `the path "a/{{identity.entity.id}" has {{ without }}, or }} without {{`},
		{"braces without a beginning", "policies:\n  - {name: a, rules: 'path \"a/identity.entity.id}}\" {}'}\n", `has {{ without }}, or }} without {{`},
		{"old word that is none", "policies:\n  - {name: a, rules: 'path \"a\" { policy = \"writ\" }'}\n", `"policy" of the path "a" must be one of deny, read, write, sudo; did you mean "write"?`},
		{"time that is none in a policy", "policies:\n  - {name: a, rules: 'path \"a\" { min_wrapping_ttl = \"abc\" }'}\n", `"min_wrapping_ttl" of the path "a" must be a duration, such as 90, 30m, 1h30m or 7d`},
		{"least time above the most", "policies:\n  - {name: a, rules: 'path \"a\" { min_wrapping_ttl = \"1h\" max_wrapping_ttl = 60 }'}\n", `"max_wrapping_ttl" of the path "a" is less than "min_wrapping_ttl"`},
		{"unknown key in a path", "policies:\n  - {name: a, rules: 'path \"x\" { capabilitys = [\"read\"] }'}\n", `s.yaml:2:5: sys/policies/acl/a: not a valid policy, line 1 of it: Vault does not recognize the key "capabilitys" of the path "x"; did you mean "capabilities"?`},
		{"unknown capability", "policies:\n  - {name: a, rules: 'path \"x\" { capabilities = [\"read\", \"raed\"] }'}\n", `s.yaml:2:5: sys/policies/acl/a: not a valid policy, line 1 of it: Vault does not recognize the capability "raed" of the path "x"; did you mean "read"?`},
		{"unknown capability before deny", "policies:\n  - {name: a, rules: 'path \"x\" { capabilities = [\"raed\", \"deny\"] }'}\n", `Vault does not recognize the capability "raed"`},
		{"unknown key beside deny", "policies:\n  - {name: a, rules: 'path \"x\" { policy = \"deny\" foo = 1 }'}\n", `Vault does not recognize the key "foo" of the path "x"`},
		{"path without a block", "policies:\n  - {name: a, rules: '{\"path\": {\"a\": \"read\"}}'}\n", `sys/policies/acl/a: not a valid policy: a path block needs a path`},
		{"mapping for a list in a policy", "policies:\n  - {name: a, rules: 'path \"a\" { allowed_parameters = \"x\" }'}\n", `the block of the path "a" cannot be parsed: `},
		{"text for a list in a policy", "policies:\n  - {name: a, rules: 'path \"a\" { capabilities = \"read\" }'}\n", `the block of the path "a" cannot be parsed: `},
		{"all that is wrong with a policy", "policies:\n  - {name: a, rules: \"path \\\"a/+*\\\" {}\\npath \\\"b\\\" { policy = \\\"x\\\" }\"}\n", `line 2 of it: "policy" of the path "b"`},
		{"password policy that does not parse", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charset\" {'}\n", `s.yaml:2:5: sys/policies/password/p: not a valid password policy, line 1 of it: `},
		{"password policy without a number", "password-policies:\n  - {name: p, rules: 'length = '}\n", `not a valid password policy: "length" must be a number from 4 to 100`},
		{"password policy that is something else", "password-policies:\n  - {name: p, rules: 'garbage'}\n", `s.yaml:2:5: sys/policies/password/p: not a valid password policy`},
		{"password policy that is empty", "password-policies:\n  - {name: p, rules: ''}\n", `sys/policies/password/p: not a valid password policy: it is empty`},
		{"password policy without a length", "password-policies:\n  - {name: p, rules: 'rule \"charset\" { charset = \"abc\" }'}\n", `not a valid password policy: "length" must be a number from 4 to 100`},
		{"password policy with a text for its length", "password-policies:\n  - {name: p, rules: 'length = \"20\" rule \"charset\" { charset = \"abc\" }'}\n", `"length" must be a number from 4 to 100`},
		{"password policy of great length", "password-policies:\n  - {name: p, rules: 'length = 101 rule \"charset\" { charset = \"abc\" }'}\n", `"length" must be a number from 4 to 100`},
		{"password policy without a rule", "password-policies:\n  - {name: p, rules: 'length = 20'}\n", `it has no rule "charset", so that there are no characters to choose from`},
		{"password policy with another rule", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charst\" { charset = \"abc\" }'}\n", `the rule "charst" is unknown; did you mean "charset"?`},
		{"password policy without characters", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charset\" { min-chars = 1 }'}\n", `a rule "charset" needs characters in "charset"`},
		{"password policy that is too short", "password-policies:\n  - {name: p, rules: 'length = 4 rule \"charset\" { charset = \"abc\" min-chars = 3 } rule \"charset\" { charset = \"xyz\" min-chars = 2 }'}\n", `its rules ask for 5 characters, and "length" is 4`},
		{"password policy with unprintable characters", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charset\" { charset = \"a\\tb\" }'}\n", `a rule "charset" has a character that cannot be printed`},
		{"password policy with a text for a number", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charset\" { charset = \"abc\" min-chars = \"1\" }'}\n", `"min-chars" must be a number`},
		{"password policy of brackets", "password-policies:\n  - {name: p, rules: '" + strings.Repeat("[", 100_000) + "'}\n", `brackets nest more than 100 deep`},
		{"generator by a name that is none", "secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {a: {generate: {policy: ../x}}}}]\n", `the name "../x" of the password policy cannot be used: `},
		{"missing key", "audit:\n  - path: x\n", `s.yaml:2:5: the key "type" is missing`},
		{"missing name", "auth:\n  - type: kubernetes\n    roles:\n      - token_ttl: 1h\n", `s.yaml:4:9: the key "name" is missing`},
		{"text for a list", "policies: hello\n", `s.yaml:1:11: "policies" must be a list, found a text`},
		{"text for a mapping", "auth:\n  - kubernetes\n", `s.yaml:2:5: expected a mapping, found a text`},
		{"list for a mapping", "auth:\n  - type: x\n    config: [a]\n", `s.yaml:3:13: "config" must be a mapping, found a list`},
		{"text for a truth", "audit:\n  - type: file\n    local: maybe\n", `s.yaml:3:12: "local" must be true or false, found a text`},
		{"truth for a text", "audit:\n  - type: true\n", `s.yaml:2:11: "type" must be a text, found true or false`},
		{"no value", "auth:\n  - type: approle\n    roles: [{name: x, token_ttl: }]\n", `s.yaml:3:34: a value is missing: write "" for an empty text, or remove the key`},
		{"duplicate key", "policies: []\naudit: []\npolicies: []\n", `s.yaml:3:1: duplicate key "policies", first at `},
		{"duplicate object", "secrets:\n  - {type: kv}\n  - {type: pki, path: /kv/}\n", `s.yaml:3:5: sys/mounts/kv is declared twice, first at `},
		{"policies are one in any case", "policies:\n  - {name: App, rules: a}\n  - {name: app, rules: b}\n", `s.yaml:3:5: sys/policies/acl/app is declared twice, first at `},
		{"roles are one in any case", "auth:\n  - {type: approle, roles: [{name: R}, {name: r}]}\n", `s.yaml:2:40: auth/approle/role/r is declared twice, first at `},
		{"certificates are one in any case", "auth:\n  - {type: cert, certificates: [{name: R}, {name: r}]}\n", `auth/cert/certs/r is declared twice, first at `},
		{"teams are one in any case", "auth:\n  - {type: github, map: {teams: {Dev: a, dev: b}}}\n", `is declared twice, first at `},
		{"users of ldap are one in any case", "auth:\n  - {type: ldap, config: {url: x}, users: [{username: R}, {username: r}]}\n", `auth/ldap/users/r is declared twice, first at `},
		{"users are one in any case everywhere", "auth:\n  - {type: userpass, users: [{username: R}], configuration: {users: [{name: r}]}}\n", `auth/userpass/users/r is declared twice, first at `},
		{"entities are one in any case", "entities: [{name: E}, {name: e}]\n", `s.yaml:1:23: identity/entity/name/e is declared twice, first at `},
		{"groups are one in any case", "groups: [{name: G}, {name: g}]\n", `identity/group/name/g is declared twice, first at `},
		{"aliases of one entity in two cases", "entity-aliases:\n  - {name: a, mountpath: oidc, entity: E}\n  - {name: b, mountpath: oidc, entity: e}\n", `s.yaml:3:5: identity/entity-alias/e/b/oidc: an entity has one alias at each auth method`},
		{"headers are one in any case", "ui-headers: {X-A: b, x-a: c}\n", `sys/config/ui/headers/x-a is declared twice, first at `},
		{"mount below a mount", "secrets:\n  - {type: kv, path: a/b}\n  - {type: kv, path: a}\n", `s.yaml:2:5: sys/mounts/a/b lies below sys/mounts/a (declared at `},
		{"tab", "policies:\n\t- name: a\n", `s.yaml:2:1: indented with a tab; YAML allows spaces only`},
		{"not YAML", "a: [b\n", `s.yaml:1: not valid YAML: `},
		{"empty", "", `s.yaml:1:1: the document is empty`},
		{"comments only", "# nothing\n---\n", `s.yaml:1:1: the document is empty`},
		{"two documents", "policies: []\n---\naudit: []\n", `s.yaml:2:1: a second YAML document begins here; a seed file has one`},
		{"not UTF-8", "policies: \xff\n", `s.yaml: the file is not UTF-8 text`},
		{"alias bomb", bomb(), `aliases expand to more than 100000 values`},
		{"alias to itself", "auth:\n  - type: x\n    config: &a {b: *a}\n", `nested more than 100 levels deep`},
		{"deep nesting", "auth:\n  - {type: x, config: {a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}}\n", `nested more than 100 levels deep`},
		{"unsupported tag", "auth:\n  - {type: x, config: {a: !!binary aGk=}}\n", `the YAML tag "!!binary" is not supported`},
		{"unknown function", "auth:\n  - {type: x, config: {a: '${ now \"x\" }'}}\n", `s.yaml:2:27: unknown reference function "now": the functions are env, file, accessor, secretKeyRef, configMapKeyRef, vault, answer`},
		{"no function", "auth:\n  - {type: x, config: {a: '${HOME}'}}\n", `write ${ env "NAME" } or ${ file "PATH" }, and $${ for a literal ${`},
		{"reference in a name", "policies:\n  - {name: '${ env \"A\" }', rules: x}\n", `"name" cannot hold a reference`},
		{"path that climbs", "secrets:\n  - {type: kv, path: a/../sys}\n", `the path "a/../sys" cannot be used: it is a relative path`},
		{"engine in Vault's own place", "secrets:\n  - {type: kv, path: /auth/kv/}\n", `s.yaml:2:5: the path "auth/kv" cannot be used: what begins with auth/ is Vault's own`},
		{"name with a slash", "auth:\n  - {type: approle, roles: [{name: a/policies}]}\n", `the name "a/policies" cannot be used: it holds "/", "*", "+", "?" or "#"`},
		{"name with a special character", "auth:\n  - {type: approle, roles: [{name: a+b}]}\n", `the name "a+b" cannot be used: it holds "/", "*", "+", "?" or "#"`},
		{"user of userpass with a slash", "auth:\n  - {type: userpass, users: [{username: a/b}]}\n", `the name "a/b" cannot be used: it holds "/"`},
		{"policy with a query", "policies:\n  - {name: 'a?b', rules: 'path \"x\" {}'}\n", `the name "a?b" cannot be used: it holds "?"`},
		{"policy that climbs", "policies:\n  - {name: a/../b, rules: 'path \"x\" {}'}\n", `the name "a/../b" cannot be used: it is a relative path`},
		{"policy with a slash at its end", "policies:\n  - {name: a/, rules: 'path \"x\" {}'}\n", `the name "a/" cannot be used: it is empty`},
		{"policy with a slash at its beginning", "policies:\n  - {name: /a, rules: 'path \"x\" {}'}\n", `the name "/a" cannot be used: it is empty`},
		{"name that no policy can hold", "groups: [{name: a/b+*}]\n", `the name "a/b+*" cannot be used: it holds "+*", which no policy of Vault can name`},
		{"password policy that ends as its generator", "password-policies:\n  - {name: a/generate, rules: 'length = 20 rule \"charset\" { charset = \"abc\" }'}\n", `the name "a/generate" cannot be used: passwords are generated there`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := seed.Load([]string{write(t, "s.yaml", test.text)})
			if err == nil {
				t.Fatal("no error")
			}
			if got := fault.KindOf(err); got != fault.Seed {
				t.Errorf("kind %v, want seed", got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

// bomb is a document of a few lines that aliases expand into a huge one.
func bomb() string {
	var b strings.Builder
	b.WriteString("auth:\n  - type: x\n    config:\n      a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := '1'; i <= '9'; i++ {
		ref := "*a" + string(i-1)
		b.WriteString("      a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat(ref+",", 9) + ref + "]\n")
	}
	return b.String()
}

func TestLoadReportsAllProblems(t *testing.T) {
	var b strings.Builder
	for range 30 {
		b.WriteString("  - {nam: x}\n")
	}
	_, err := seed.Load([]string{write(t, "s.yaml", "polices: 1\npolicies:\n"+b.String()), "/does/not/exist.yaml"})
	var problems *value.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want *Problems", err)
	}
	if len(problems.List) != 20 || problems.More != 12 {
		t.Errorf("%d problems and %d more, want 20 and 12:\n%v", len(problems.List), problems.More, err)
	}
	if fault.RemedyOf(err) == "" {
		t.Error("no remedy")
	}
}

func TestLoadDoesNotShowValues(t *testing.T) {
	const value = "s3cr3t-in-the-wrong-place"
	for _, text := range []string{
		"policies: " + value + "\n",
		"auth:\n  - type: userpass\n    users: " + value + "\n",
		"audit:\n  - {type: file, local: " + value + "}\n",
		"auth:\n  - {type: x, config: {a: '${ " + value + " }'}}\n",
	} {
		_, err := seed.Load([]string{write(t, "s.yaml", text)})
		if err == nil || strings.Contains(err.Error(), value) {
			t.Errorf("%q gave %v", text, err)
		}
	}
}

// TestLoadTooLarge loads 50 MB: one file, and several that are too large together. They
// are not read to their ends.
func TestLoadTooLarge(t *testing.T) {
	one := write(t, "one.yaml", "policies: []\n")
	if err := os.Truncate(one, 50<<20); err != nil {
		t.Fatal(err)
	}
	half := strings.Repeat("# filling\n", 900<<10)
	for name, paths := range map[string][]string{"one": {one}, "several": {write(t, "a.yaml", half+"policies: []\n"), write(t, "b.yaml", half)}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := seed.Load(paths)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "a seed has at most 16 MiB") || fault.KindOf(err) != fault.Seed {
			t.Errorf("%s: got %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; name == "one" && used > 1<<20 {
			t.Errorf("%s: it took %d bytes", name, used)
		}
	}
}

func TestLoadDirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "b.yml"), "policies:\n  - {name: b, rules: 'path \"x\" {}'}\n")
	put(t, filepath.Join(dir, "a.yaml"), "policies: # none yet\nsecrets:\n  - {type: kv-v2, path: team/kv}\n")
	put(t, filepath.Join(dir, ".hidden.yaml"), "nonsense")
	put(t, filepath.Join(dir, "notes.txt"), "nonsense")
	put(t, filepath.Join(dir, "policies", "reader.hcl"), "path \"x\" {}\n")
	objects := desired(t, dir, seed.Resolver{})
	var got []string
	for _, o := range objects {
		got = append(got, string(o.ID)+" "+filepath.Base(o.Position.String()))
	}
	want := "sys/mounts/team/kv a.yaml:3:5, sys/policies/acl/b b.yml:2:5, sys/policies/acl/reader reader.hcl:1:1"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}

	put(t, filepath.Join(dir, "policies", "b.hcl"), "x")
	_, err := seed.Load([]string{dir})
	if err == nil || !strings.Contains(err.Error(), "b.hcl:1:1: sys/policies/acl/b is declared twice, first at "+dir+"/b.yml:2:5") {
		t.Errorf("both places must be named, got %v", err)
	}
	if _, err := seed.Load([]string{t.TempDir()}); err == nil || !strings.Contains(err.Error(), "there is no *.yaml") {
		t.Errorf("an empty directory gave %v", err)
	}
}

// TestLoadNames loads names that may contain slashes.
func TestLoadNames(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
policies: [{name: team/App+read*#1, rules: 'path "x" {}'}]
password-policies: [{name: team/strong, rules: 'length = 20 rule "charset" { charset = "abc" }'}]
entities: [{name: people/alice}]
groups: [{name: team/app, type: external}]
group-aliases: [{name: x, mountpath: ldap, group: team/app}]
secrets: [{type: kv-v1, path: kv}]
secretsOnce: [{path: kv/a, data: {a: {generate: {policy: team/strong}}}}]
auth:
  - {type: ldap, users: [{username: alice/admin}], groups: [{name: 'c++/admins'}]}
  - {type: okta, users: [{username: a+b@example.org}], groups: [{name: a/b}]}
  - {type: radius, users: [{username: a/b}]}
  - {type: kerberos, groups: [{name: a/b}]}
`), seed.Resolver{})
	var ids []string
	for _, o := range objects {
		if o.Mount != "" || strings.Contains(string(o.ID), "team") || strings.Contains(string(o.ID), "people") {
			ids = append(ids, string(o.ID))
		}
	}
	want := "sys/policies/acl/team/app+read*#1 sys/policies/password/team/strong auth/ldap/users/alice/admin auth/ldap/groups/c++/admins " +
		"auth/okta/users/a+b@example.org auth/okta/groups/a/b auth/radius/users/a/b auth/kerberos/groups/a/b " +
		"identity/entity/name/people/alice identity/group/name/team/app identity/group-alias/team%2Fapp/x/ldap kv/a"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestLoadDistinguishesNames loads names that differ only in case, where Vault distinguishes them,
// or may.
func TestLoadDistinguishesNames(t *testing.T) {
	for _, text := range []string{
		"auth: [{type: jwt, roles: [{name: R}, {name: r}]}]\n",
		"auth: [{type: radius, users: [{username: R}, {username: r}]}]\n",
		"auth: [{type: okta, users: [{username: R}, {username: r}]}]\n",
		"auth: [{type: ldap, groups: [{name: R}, {name: r}]}]\n",
		"auth: [{type: ldap, config: {case_sensitive_names: true}, groups: [{name: R}, {name: r}]}]\n",
		"auth: [{type: ldap, config: {case_sensitive_names: '${ env \"A\" }'}, groups: [{name: R}, {name: r}]}]\n",
		"tokens: {roles: [{name: R}, {name: r}]}\n",
		"secrets: [{type: pki, configuration: {roles: [{name: R}, {name: r}]}}]\n",
	} {
		if _, err := seed.Load([]string{write(t, "s.yaml", text)}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestLoadCallsAsBankVaultsHasThem reads calls in the positions and forms that Go templates allow,
// since bank-vaults expands them before it parses YAML.
func TestLoadCallsAsBankVaultsHasThem(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
auth:
  - type: approle
    roles:
      - name: r
        quoted: "${env "A"}"
        both: "<${ env "A" }:${- env "A" -}>"
        plain: ${env "A"}
        single: '${env "A"}'
        variable: ${ .Env.A }
        kept: 'say "${ env "A" }"'
        literal: '$${ env "A" }'
`), env(map[string]string{"A": "x"}))
	want := map[string]string{"quoted": "x", "both": "<x:x>", "plain": "x", "single": "x", "variable": "x", "kept": `say "x"`}
	if literal := objects[1].Data["literal"]; literal != `${ env "A" }` {
		t.Errorf("a literal is %v", literal)
	}
	for name, text := range want {
		if got, ok := objects[1].Data[name].(interface{ Reveal() string }); !ok || got.Reveal() != text {
			t.Errorf("%s is not %s", name, text)
		}
	}
}

func TestLoadMergeKeysAndNumbers(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
auth:
  - type: approle
    roles:
      - &base {name: a, token_ttl: 60, mode: 0600, local_secret_ids: false}
      - <<: *base
        name: b
        token_ttl: 1h
        note: $${literal}
`), seed.Resolver{})
	b := objects[2]
	if b.ID != "auth/approle/role/b" || b.Data["token_ttl"] != "1h" || b.Data["mode"] != "0600" || b.Data["local_secret_ids"] != false || b.Data["note"] != "${literal}" {
		t.Errorf("got %s %v", b.ID, b.Data)
	}
	if _, there := b.Data["name"]; there {
		t.Error("the name is in the body")
	}
}

func TestReferences(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "pin"), "1234\n")
	put(t, filepath.Join(dir, "s.yaml"), `
auth:
  - type: userpass
    users:
      - username: alice
        password: 'a-${ env "P" }-${file "pin"}'
        token_policies: ['${env `+"`P`"+`}']
`)
	objects := desired(t, filepath.Join(dir, "s.yaml"), env(map[string]string{"P": `"quote": [`}))
	user := objects[1]
	revealer, ok := user.Data["password"].(interface{ Reveal() string })
	if !ok || revealer.Reveal() != "a-\"quote\": [-1234\n" {
		t.Errorf("got %#v", user.Data["password"])
	}

	put(t, filepath.Join(dir, "s.yaml"), "auth:\n  - type: x\n    config:\n      a: ${ env \"NO\" }\n      b: ${ file \"no\" }\n      c: ${ file \".\" }\n")
	s, err := seed.Load([]string{filepath.Join(dir, "s.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Objects(context.Background(), env(nil))
	for _, want := range []string{
		`s.yaml:4:10: the environment variable "NO" is not set`,
		`s.yaml:5:10: reading the referenced file "` + dir + `/no": no such file or directory`,
		`s.yaml:6:10: reading the referenced file "` + dir + `": not a regular file`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Seed {
			t.Errorf("got:\n%v\nwant %s", err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		t.Helper()
		s, err := seed.Load([]string{write(t, "s.yaml", text)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Digest()
	}
	base := digest("policies:\n  - {name: a, rules: 'path \"x\" {}'}\n  - {name: b, rules: 'path \"y\" {}'}\n")
	if same := digest("# moved\npolicies:\n  - {rules: 'path \"y\" {}', name: b}\n  - {name: a, rules: 'path \"x\" {}'}\n"); same != base {
		t.Error("order and comments count")
	}
	if other := digest("policies:\n  - {name: a, rules: 'path \"x\" {}'}\n  - {name: b, rules: 'path \"z\" {}'}\n"); other == base {
		t.Error("content does not count")
	}
	user := "auth:\n  - {type: userpass, users: [{username: a, password: %}]}\n"
	if digest(strings.Replace(user, "%", "one", 1)) != digest(strings.Replace(user, "%", "two", 1)) {
		t.Error("the digest is an oracle for a password")
	}
	if !strings.HasPrefix(base, "sha256:") || len(base) != 71 {
		t.Errorf("digest %q", base)
	}
}
