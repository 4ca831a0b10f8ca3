package seed_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestDanglingNames holds what is said of names that nobody declares.
func TestDanglingNames(t *testing.T) {
	const policies = "policies:\n  - {name: team-a, rules: 'path \"a\" { capabilities = [\"read\"] }'}\n"
	for _, test := range []struct{ name, text, want string }{
		{
			"policy of a role", policies + "auth:\n  - {type: approle, roles: [{name: r, token_policies: [tema-a, default]}, {name: s, token_policies: 'team-a, Tema-A'}]}\n",
			`seed.yaml:4:29: auth/approle/role/r: the policy "tema-a" is not declared in the seed, so it must exist in Vault already; did you mean "team-a"?`,
		},
		{
			"policy of nobody", "auth:\n  - {type: userpass, users: [{username: u, token_policies: [operators]}]}\n",
			`seed.yaml:2:30: auth/userpass/users/u: the policy "operators" is not declared in the seed, so it must exist in Vault already`,
		},
		{
			"policies of others", policies + "auth:\n  - {type: github, config: {organization: a}, map: {teams: {dev: 'team-b,default'}}}\n  - {type: ldap, groups: [{name: g, policies: [team-c]}]}\n" +
				"entities: [{name: e, policies: [team-d]}]\ngroups: [{name: g, policies: [team-e]}]\n",
			`seed.yaml:4:47: auth/github/map/teams/dev: the policy "team-b" is not declared in the seed, so it must exist in Vault already; did you mean "team-a"?` + "\n" +
				`seed.yaml:5:27: auth/ldap/groups/g: the policy "team-c" is not declared in the seed, so it must exist in Vault already; did you mean "team-a"?` + "\n" +
				`seed.yaml:6:12: identity/entity/name/e: the policy "team-d" is not declared in the seed, so it must exist in Vault already; did you mean "team-a"?` + "\n" +
				`seed.yaml:7:10: identity/group/name/g: the policy "team-e" is not declared in the seed, so it must exist in Vault already; did you mean "team-a"?`,
		},
		{
			"policies of a namespace", policies + "namespaces:\n  - path: n\n    policies: [{name: inner, rules: 'path \"a\" { capabilities = [\"read\"] }'}]\n    auth: [{type: approle, roles: [{name: r, token_policies: [inner, team-a]}]}]\n",
			`seed.yaml:6:36: n/auth/approle/role/r: the policy "team-a" is not declared in the seed, so it must exist in Vault already`,
		},
		{"policy made by a request, and one of ours", "auth:\n  - {type: approle, roles: [{name: r, token_policies: [made, vault-bootstrap-read]}]}\nrequests: [{name: q, path: sys/policy/made, data: {policy: x}}]\n", ""},
		{"policies that a token role allows, and templates", "tokens: {roles: [{name: r, allowed_policies: [x]}]}\nauth:\n  - {type: jwt, roles: [{name: r, role_type: jwt, token_policies: ['{{team}}', '${env `POLICY`}']}]}\n", ""},
		{
			"aliases of nothing", "auth: [{type: oidc}, {type: userpass}]\ngroups: [{name: admins, type: external}]\nentities: [{name: alice}]\n" +
				"group-aliases: [{name: a, mountpath: oicd, group: admins}, {name: b, mountpath: oidc, group: admin}, {name: c, mountpath: token, group: nobody}]\n" +
				"entity-aliases: [{name: a, mountpath: userpass, entity: Alice}, {name: b, mountpath: ldap, entity: alice}]\n",
			`seed.yaml:5:65: identity/entity-alias/alice/b/ldap: the auth method "ldap" is not declared in the seed, so it must exist in Vault already` + "\n" +
				`seed.yaml:4:17: identity/group-alias/admins/a/oicd: the auth method "oicd" is not declared in the seed, so it must exist in Vault already; did you mean "oidc"?` + "\n" +
				`seed.yaml:4:60: identity/group-alias/admin/b/oidc: the group "admin" is not declared in the seed, so it must exist in Vault already; did you mean "admins"?` + "\n" +
				`seed.yaml:4:102: identity/group-alias/nobody/c/token: the group "nobody" is not declared in the seed, so it must exist in Vault already`,
		},
		{"alias where the program logs in", "entities: [{name: e}]\nentity-aliases: [{name: a, mountpath: kubernetes, entity: e}]\n", ""},
		{
			"members", "entities: [{name: alice}]\ngroups: [{name: g, members: [alcie, alice], member_groups: [h]}, {name: k, members: [alcie]}]\n",
			`seed.yaml:2:10: identity/group/name/g: the entity "alcie" is not declared in the seed, so it must exist in Vault already; did you mean "alice"?` + "\n" +
				`seed.yaml:2:10: identity/group/name/g: the group "h" is not declared in the seed, so it must exist in Vault already; did you mean "g"?`,
		},
		{
			"accessor", "auth: [{type: userpass}]\nsecrets: [{type: kv, path: apps}]\nrequests: [{name: q, path: x/y, data: {a: '${accessor `usrpass`}', b: '${accessor `apps`}'}}]\n",
			`seed.yaml:3:43: request:q: the mount "usrpass" is not declared in the seed, so it must exist in Vault already; did you mean "userpass"?`,
		},
		{
			"database", "secrets:\n  - type: database\n    configuration:\n      config: [{name: orders, plugin_name: x, allowed_roles: [app, ap, 'web-*']}]\n" +
				"      roles: [{name: app, db_name: order}]\n      static-roles: [{name: fixed, db_name: orders}]\n",
			`seed.yaml:4:16: database/config/orders: the role "ap" is not declared in the seed, so it must exist in Vault already; did you mean "app"?` + "\n" +
				`seed.yaml:5:15: database/roles/app: the connection "order" is not declared in the seed, so it must exist in Vault already; did you mean "orders"?`,
		},
		{
			"pki", "secrets:\n  - type: pki\n    configuration:\n      root/generate: [{name: internal, common_name: a, issuer_name: root-2026}]\n" +
				"      roles: [{name: a, issuer_ref: root-2062}, {name: b, issuer_ref: default}, {name: c, issuer_ref: 0c983955-1c73-0d1b-6f8f-2a1b3a4d5e6f}, {name: d, issuer_ref: by-request}]\n" +
				"requests: [{name: q, path: pki/issuers/generate/root/internal, data: {common_name: b, issuer_name: by-request}}]\n",
			`seed.yaml:5:15: pki/roles/a: the issuer "root-2062" is not declared in the seed, so it must exist in Vault already; did you mean "root-2026"?`,
		},
		{
			"others of one mount", "auth: [{type: oidc, path: sso, config: {default_role: peple}, roles: [{name: people}]}]\nsecrets: [{type: ssh, configuration: {config/zeroaddress: {roles: [otp]}, roles: [{name: opt, key_type: otp}]}}]\n",
			`seed.yaml:1:32: auth/sso/config: the role "peple" is not declared in the seed, so it must exist in Vault already; did you mean "people"?` + "\n" +
				`seed.yaml:2:59: ssh/config/zeroaddress: the role "otp" is not declared in the seed, so it must exist in Vault already; did you mean "opt"?`,
		},
		{
			"password policy", "password-policies:\n  - {name: strong, rules: 'length = 20 rule \"charset\" { charset = \"abc\" }'}\nsecrets: [{type: database, configuration: {config: [{name: d, plugin_name: x, password_policy: storng}]}}]\n",
			`seed.yaml:3:53: database/config/d: the password policy "storng" is not declared in the seed, so it must exist in Vault already; did you mean "strong"?`,
		},
		{
			"quotas", "secrets: [{type: kv, path: a/b}]\nnamespaces: [{path: n}]\nquotas: {rate-limits: [{name: g, rate: 1}, {name: a, rate: 1, path: a/b/data/x}, {name: n, rate: 1, path: n/kv}, {name: t, rate: 1, path: auth/token}, {name: x, rate: 1, path: a/c}]}\n",
			`seed.yaml:3:152: sys/quotas/rate-limit/x: the mount "a/c" is not declared in the seed, so it must exist in Vault already; did you mean "a/b"?`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := said(t, test.text); got != test.want {
				t.Errorf("it is said\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestManyDanglingNames holds that a seed whose policies are elsewhere is not answered with thousands
// of lines.
func TestManyDanglingNames(t *testing.T) {
	text := "auth:\n  - type: approle\n    roles:\n"
	for i := range 1000 {
		text += fmt.Sprintf("      - {name: r%d, token_policies: [elsewhere-%d]}\n", i, i)
	}
	lines := strings.Split(said(t, text), "\n")
	if len(lines) != 20 || !strings.HasSuffix(lines[19], "further ones are not named") {
		t.Errorf("%d lines, the last one: %s", len(lines), lines[len(lines)-1])
	}
}
