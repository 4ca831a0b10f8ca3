package seed_test

import (
	"fmt"
	"strings"
	"testing"
)

// drifting is a seed of what belongs to the server rather than to one mount, and of
// what some engines keep in ways of their own.
const drifting = `
plugins:
  - {plugin_name: example-plugin, type: secret, command: example-plugin, sha256: PLUGIN_SHA256}
auth:
  - {type: userpass}
  - {type: ldap, config: {url: "ldap://ldap.example", groupdn: "ou=groups"}}
secrets:
  - {type: kv, path: secret, options: {version: 2}, configuration: {config: [{max_versions: 7, cas_required: true}]}}
  - {type: pki, configuration: {roles: [{name: web, allowed_domains: [example.org], max_ttl: 72h}]}}
  - {type: transit, configuration: {keys: [{name: app, deletion_allowed: false, min_decryption_version: 1}]}}
  - {type: database, configuration: {roles: [{name: reader, db_name: main, creation_statements: ["CREATE ROLE x"], default_ttl: 10m}]}}
password-policies:
  - {name: strong, rules: 'length = 24 rule "charset" { charset = "abc" }'}
tokens: {roles: [{name: ci, token_period: 1h, allowed_policies: [app]}]}
entities:
  - {name: alice, policies: [app], metadata: {team: platform}}
  - {name: robot, disabled: true}
entity-aliases:
  - {name: alice, mountpath: userpass, entity: alice, custom_metadata: {made_by: seed}}
groups:
  - {name: platform, policies: [app], members: [alice]}
  - {name: outside, type: external, metadata: {team: other}}
group-aliases:
  - {name: admins, mountpath: ldap, group: outside}
quotas:
  config: {enable_rate_limit_response_headers: true, rate_limit_exempt_paths: [sys/health]}
  rate-limits:
    - {name: global, rate: 100000, interval: 10s}
    - {name: secrets, path: secret/, rate: 90000}
ui-headers: {X-Frame-Options: DENY, X-Team: [one, two]}
cors: {allowed_origins: ["https://ui.example"], allowed_headers: [X-Team]}
secretsOnce:
  - {path: secret/app/pin, data: {pin: {generate: {length: 8, alphabet: digits}}}}
requests:
  - {name: key, path: identity/oidc/key/apps, data: {rotation_period: 24h, allowed_client_ids: "*"}, unless: {path: identity/oidc/key/apps}}
`

// TestDriftOfTheServer changes identity, quotas, headers and the like behind the
// seed's back. What others made beside ours stays as it is.
func TestDriftOfTheServer(t *testing.T) {
	b, digest := startWith(t)
	objects := b.inline(t, strings.Replace(drifting, "PLUGIN_SHA256", digest, 1))
	b.apply(t, objects)
	wantEmpty(t, b.plan(t, objects))
	others := b.byHand(t)

	accessor := func(mount string) any { return dig(b.call(t, "GET", "sys/auth", nil), mount+"/ > accessor") }
	alice := fmt.Sprint(dig(b.call(t, "GET", "identity/entity/name/alice", nil), "id"))
	aliasOf := func() string {
		aliases, _ := b.call(t, "GET", "identity/entity/name/alice", nil)["aliases"].([]any)
		return "identity/entity-alias/id/" + fmt.Sprint(dig(aliases[0], "id"))
	}
	groupAlias := func() string {
		return "identity/group-alias/id/" + fmt.Sprint(dig(b.call(t, "GET", "identity/group/name/outside", nil), "alias > id"))
	}
	b.drifts(t, objects, []drift{
		{"entity's policies", "PUT", "identity/entity/name/alice", m{"policies": "app,root-like"}, `policies: ["app","root-like"] → ["app"]`, "update identity/entity/name/alice"},
		{"entity's metadata", "PUT", "identity/entity/name/alice", m{"metadata": m{"team": "other"}}, `metadata: {"team":"other"} → {"team":"platform"}`, "update identity/entity/name/alice"},
		{"entity enabled", "PUT", "identity/entity/name/robot", m{"disabled": false}, "disabled: false → true", "update identity/entity/name/robot"},
		{"entity gone", "DELETE", "identity/entity/name/robot", nil, "+ identity/entity/name/robot", "update identity/entity/name/robot"},
		{"entity alias's metadata", "PUT", aliasOf(), m{"name": "alice", "mount_accessor": accessor("userpass"), "canonical_id": alice, "custom_metadata": m{"made_by": "hand"}}, `custom_metadata: {"made_by":"hand"} → {"made_by":"seed"}`, "update identity/entity-alias"},
		{"entity alias gone", "DELETE", aliasOf(), nil, "+ identity/entity-alias/alice/alice/userpass", "update identity/entity-alias"},
		{"group's policies", "PUT", "identity/group/name/platform", m{"policies": "other"}, `policies: ["other"] → ["app"]`, "update identity/group/name/platform"},
		{"group's members", "PUT", "identity/group/name/platform", m{"member_entity_ids": others.entity}, "member_entity_ids: ", "update identity/group/name/platform"},
		{"group gone", "DELETE", "identity/group/name/platform", nil, "+ identity/group/name/platform", "update identity/group/name/platform"},
		{"group's metadata", "PUT", "identity/group/name/outside", m{"metadata": m{"team": "theirs"}}, `metadata: {"team":"theirs"} → {"team":"other"}`, "update identity/group/name/outside"},
		{"group alias gone", "DELETE", groupAlias(), nil, "+ identity/group-alias/outside/admins/ldap", "update identity/group-alias"},
		{"quota's rate", "PUT", "sys/quotas/rate-limit/global", m{"rate": 5000, "interval": "10s"}, "rate: 5000 → 100000", "update sys/quotas/rate-limit/global"},
		{"quota's path", "PUT", "sys/quotas/rate-limit/secrets", m{"rate": 90000, "path": "transit/"}, `path: "transit/" → "secret/"`, "update sys/quotas/rate-limit/secrets"},
		{"quota gone", "DELETE", "sys/quotas/rate-limit/secrets", nil, "+ sys/quotas/rate-limit/secrets", "update sys/quotas/rate-limit/secrets"},
		{"quotas' settings", "PUT", "sys/quotas/config", m{"rate_limit_exempt_paths": []string{"sys/health", "secret/"}, "enable_rate_limit_response_headers": true}, `rate_limit_exempt_paths: ["sys/health","secret/"] → ["sys/health"]`, "update sys/quotas/config"},
		{"UI header", "PUT", "sys/config/ui/headers/X-Frame-Options", m{"values": []string{"SAMEORIGIN"}}, `values: ["SAMEORIGIN"] → ["DENY"]`, "update sys/config/ui/headers/X-Frame-Options"},
		{"UI header with one value of two", "PUT", "sys/config/ui/headers/X-Team", m{"values": []string{"one"}}, `values: ["one"] → ["one","two"]`, "update sys/config/ui/headers/X-Team"},
		{"UI header gone", "DELETE", "sys/config/ui/headers/X-Team", nil, "+ sys/config/ui/headers/X-Team", "update sys/config/ui/headers/X-Team"},
		{"CORS open to all", "PUT", "sys/config/cors", m{"allowed_origins": "*"}, `allowed_origins: ["*"] → ["https://ui.example"]`, "update sys/config/cors"},
		{"CORS off", "DELETE", "sys/config/cors", nil, "+ sys/config/cors", "update sys/config/cors"},
		{"password policy", "PUT", "sys/policies/password/strong", m{"policy": `length = 4 rule "charset" { charset = "abc" }`}, `policy: "length = 4 rule`, "update sys/policies/password/strong"},
		{"password policy gone", "DELETE", "sys/policies/password/strong", nil, "+ sys/policies/password/strong", "update sys/policies/password/strong"},
		{"token role", "PUT", "auth/token/roles/ci", m{"token_period": "99h"}, `token_period: 356400 → "1h"`, "update auth/token/roles/ci"},
		{"token role gone", "DELETE", "auth/token/roles/ci", nil, "+ auth/token/roles/ci", "create auth/token/roles/ci"},
		{"plugin's program", "PUT", "sys/plugins/catalog/secret/example-plugin", m{"command": "example-plugin", "sha256": strings.Repeat("ab", 32)}, fmt.Sprintf(`sha256: "%s" → "%s"`, strings.Repeat("ab", 32), digest), "update sys/plugins/catalog/secret/example-plugin"},
		{"plugin gone", "DELETE", "sys/plugins/catalog/secret/example-plugin", nil, "+ sys/plugins/catalog/secret/example-plugin", "update sys/plugins/catalog/secret/example-plugin"},
		{"KV engine's setting", "PUT", "secret/config", m{"cas_required": false, "max_versions": 7}, "cas_required: false → true", "update secret/config"},
		{"PKI role", "PUT", "pki/roles/web", m{"allowed_domains": "example.org,evil.example", "max_ttl": "72h"}, `allowed_domains: ["example.org","evil.example"] → ["example.org"]`, "update pki/roles/web"},
		{"transit key may go", "PUT", "transit/keys/app/config", m{"deletion_allowed": true}, "deletion_allowed: true → false", "update transit/keys/app/config"},
		{"database role", "PUT", "database/roles/reader", m{"db_name": "main", "creation_statements": "DROP", "default_ttl": "10m"}, `creation_statements: ["DROP"] → ["CREATE ROLE x"]`, "update database/roles/reader"},
		{"secret gone", "DELETE", "secret/metadata/app/pin", nil, "+ secret/data/app/pin", "create secret/data/app/pin"},
		{"request's object gone", "DELETE", "identity/oidc/key/apps", nil, "+ request:key", "create identity/oidc/key/apps"},
	})
	// The aliases were made anew meanwhile.
	b.drifts(t, objects, []drift{
		{"entity alias renamed", "PUT", aliasOf(), m{"name": "mallory", "mount_accessor": accessor("userpass"), "canonical_id": alice}, `name: "mallory" → "alice"`, "update identity/entity-alias"},
		{"group alias renamed", "PUT", groupAlias(), m{"name": "mallory", "mount_accessor": accessor("ldap")}, `name: "mallory" → "admins"`, "update identity/group-alias"},
		{"group alias at another mount", "PUT", groupAlias(), m{"name": "admins", "mount_accessor": accessor("userpass")}, fmt.Sprintf(`mount_accessor: "%v" → "%v"`, accessor("userpass"), accessor("ldap")), "update identity/group-alias"},
		{"entity alias moved", "PUT", aliasOf(), m{"name": "alice", "mount_accessor": accessor("userpass"), "canonical_id": others.entity}, "+ identity/entity-alias/alice/alice/userpass", "update identity/entity-alias"},
	})
	others.stay(t, b)
}

// foreign is what somebody made beside the objects of the seed.
type foreign struct {
	entity string
	shown  map[string]string
}

// byHand makes an object of each kind that the seed does not name.
func (b *bed) byHand(t *testing.T) foreign {
	t.Helper()
	f := foreign{shown: map[string]string{}}
	for path, in := range map[string]m{
		"identity/entity/name/by-hand":    {"policies": "x"},
		"identity/group/name/by-hand":     {"policies": "x"},
		"sys/quotas/rate-limit/by-hand":   {"rate": 90000, "path": "pki/"},
		"sys/config/ui/headers/X-By-Hand": {"values": []string{"x"}},
		"sys/policies/password/by-hand":   {"policy": `length = 9 rule "charset" { charset = "abc" }`},
		"auth/token/roles/by-hand":        {"orphan": true},
		"sys/mounts/by-hand/tune":         {"description": "theirs"},
		"pki/roles/by-hand":               {"allow_any_name": true},
		"sys/policies/acl/by-hand":        {"policy": `path "x" {}`},
		"transit/keys/by-hand":            {},
		"identity/oidc/key/by-hand":       {"allowed_client_ids": "*"},
		"secret/data/by-hand":             {"data": m{"a": "b"}, "options": m{"cas": 0}},
	} {
		if mount, ok := strings.CutSuffix(path, "/tune"); ok {
			b.call(t, "PUT", mount, m{"type": "kv"})
		}
		b.call(t, "PUT", path, in)
		f.shown[path] = toJSON(t, b.call(t, "GET", path, nil))
	}
	f.entity = fmt.Sprint(b.call(t, "GET", "identity/entity/name/by-hand", nil)["id"])
	return f
}

// stay holds that everything is as it was made.
func (f foreign) stay(t *testing.T, b *bed) {
	t.Helper()
	for path, was := range f.shown {
		if got := toJSON(t, b.call(t, "GET", path, nil)); got != was {
			t.Errorf("%s was\n%s\nand is\n%s", path, was, got)
		}
	}
}
