package seed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// said returns what is said of a seed without a server: its warnings, or the error.
func said(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := seed.Load([]string{path})
	if err != nil {
		return "error: " + strings.ReplaceAll(err.Error(), path, "seed.yaml")
	}
	var lines []string
	for _, warning := range loaded.Warnings() {
		lines = append(lines, strings.ReplaceAll(warning.String(), path, "seed.yaml"))
	}
	return strings.Join(lines, "\n")
}

// TestFieldsWithoutAServer holds what is said of fields when the seed is read.
func TestFieldsWithoutAServer(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{
			"unknown field", "auth:\n  - {type: approle, roles: [{name: r, token_bound_cidr: [10.0.0.0/8]}]}\n",
			`seed.yaml:2:29: auth/approle/role/r: neither Vault 1.21.1 nor OpenBao 2.6.2 has the field "token_bound_cidr"; did you mean "token_bound_cidrs"?`,
		},
		{
			"unknown field of an engine that one product has", "auth:\n  - {type: github, config: {organisation: x}}\n",
			`seed.yaml:2:20: auth/github/config: Vault 1.21.1 does not have the field "organisation"; did you mean "organization"?`,
		},
		{"field that one product has", "auth:\n  - {type: approle, roles: [{name: r, token_strictly_bind_ip: true}]}\n", ""},
		{"second endpoint of a key", "secrets:\n  - {type: transit, configuration: {keys: [{name: k, type: aes256-gcm96, deletion_allowed: true}]}}\n", ""},
		{"connection of a database", "secrets:\n  - {type: database, configuration: {config: [{name: d, plugin_name: x, whatever: y}]}}\n", ""},
		{"plugin with a version", "auth:\n  - {type: approle, plugin_version: v1.2.3, roles: [{name: r, whatever: x}]}\n", ""},
		{"engine of somebody", "auth:\n  - {type: mine, roles: [{name: r, whatever: x}]}\n", ""},
		{"values of version 1", "secrets:\n  - {type: kv, configuration: {config: {whatever: x}}}\n", ""},
		{
			"config of version 2", "secrets:\n  - {type: kv-v2, path: kv, configuration: {config: {max_version: 5}}}\n",
			`seed.yaml:2:53: kv/config: neither Vault 1.21.1 nor OpenBao 2.6.2 has the field "max_version"; did you mean "max_versions"?`,
		},
		{
			"in a namespace", "namespaces:\n  - path: team\n    auth:\n      - {type: oidc, config: {oidc_discovery: x}}\n",
			`seed.yaml:4:22: team/auth/oidc/config: neither Vault 1.21.1 nor OpenBao 2.6.2 has the field "oidc_discovery"; did you mean "oidc_discovery_url"?`,
		},
		{
			"token role and request", "tokens: {roles: [{name: r, renewabel: true}]}\nsecrets: [{type: pki}]\nrequests: [{name: q, path: pki/config/urls, data: {issuing_certificate: [http://x]}}]\n",
			`seed.yaml:1:18: auth/token/roles/r: neither Vault 1.21.1 nor OpenBao 2.6.2 has the field "renewabel"; did you mean "renewable"?` + "\n" +
				`seed.yaml:3:12: request:q: neither Vault 1.21.1 nor OpenBao 2.6.2 has the field "issuing_certificate"; did you mean "issuing_certificates"?`,
		},
		{
			"impossible values", "auth:\n  - type: approle\n    roles:\n      - {name: r, token_ttl: one hour, bind_secret_id: maybe, token_num_uses: many, token_type: bach, secret_id_bound_cidrs: [10.0.0.1], token_bound_cidrs: [nowhere]}\n",
			"error: " + strings.Join([]string{
				`seed.yaml:4:9: auth/approle/role/r: "bind_secret_id" must be true or false`,
				`seed.yaml:4:9: auth/approle/role/r: "secret_id_bound_cidrs" must hold CIDR blocks, such as 10.0.0.0/8 or 10.1.2.3/32`,
				`seed.yaml:4:9: auth/approle/role/r: "token_bound_cidrs" must hold addresses or CIDR blocks, such as 10.1.2.3 or 10.0.0.0/8`,
				`seed.yaml:4:9: auth/approle/role/r: "token_num_uses" must be a whole number`,
				`seed.yaml:4:9: auth/approle/role/r: "token_ttl" must be a duration, such as 90, 30m, 1h30m or 7d`,
				`seed.yaml:4:9: auth/approle/role/r: "token_type" must be one of default, service, batch, default-service, default-batch`,
			}, "\n"),
		},
		{"possible values", "auth:\n  - type: approle\n    roles:\n      - {name: r, token_ttl: 1h30m, token_max_ttl: 7d, token_period: '', bind_secret_id: 'true', token_num_uses: '0', token_type: batch, secret_id_bound_cidrs: '10.0.0.0/8, ::/0', token_bound_cidrs: [10.0.0.1, '::1', /run/x]}\n", ""},
		{"values known later", "auth:\n  - {type: approle, roles: [{name: r, token_ttl: '${env `TTL`}', token_bound_cidrs: ['${env `NET`}'], bind_secret_id: {valueFrom: {configMapKeyRef: {name: a, key: b}}}}]}\n", ""},
		{
			"what looks like a block", "auth:\n  - {type: approle, roles: [{name: r, token_bound_cidrs: [10.0.0.0/99]}]}\n",
			`seed.yaml:2:29: auth/approle/role/r: "token_bound_cidrs" holds what is no CIDR block; servers take it for the path of a Unix socket, which no login comes from`,
		},
		{
			"values of another form", "secrets:\n  - {type: ssh, configuration: {roles: [{name: r, key_type: ca, allowed_users: [a, b], default_extensions: permit-pty, allow_user_certificates: true}]}}\n",
			`seed.yaml:2:41: ssh/roles/r: "allowed_users" should be a text: servers refuse such a list there` + "\n" +
				`seed.yaml:2:41: ssh/roles/r: "default_extensions" should be a mapping: servers refuse a text there`,
		},
		{
			"mapping for a list", "auth:\n  - {type: approle, roles: [{name: r, token_policies: {a: b}}]}\n",
			`seed.yaml:2:29: auth/approle/role/r: "token_policies" should be a list: servers refuse a mapping there`,
		},
		{
			"value that is not listed", "secrets:\n  - {type: pki, configuration: {roles: [{name: r, key_type: dsa}]}}\n",
			`seed.yaml:2:41: pki/roles/r: "key_type" is none of the values that Vault 1.21.1 or OpenBao 2.6.2 lists for it: rsa, ec, ed25519, any`,
		},
		{
			"settings of mounts", "auth:\n  - {type: approle, options: {listing_visibility: shown, token_type: default, user_lockout_config: {lockout_threshold: many}}}\n",
			`error: seed.yaml:2:5: sys/auth/approle: "listing_visibility" must be one of unauth, hidden` + "\n" +
				`seed.yaml:2:5: sys/auth/approle: "token_type" must be one of default-service, default-batch, service, batch` + "\n" +
				`seed.yaml:2:5: sys/auth/approle: "lockout_threshold" must be a whole number`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := said(t, test.text); got != test.want {
				t.Errorf("it is said\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestSecretsAreNotShown holds that no message shows a value that is a secret in the wrong place.
func TestSecretsAreNotShown(t *testing.T) {
	text := "auth:\n  - {type: approle, roles: [{name: r, token_ttl: hunter2, token_policies: {a: hunter2}, bind_secret_id: hunter2, token_type: hunter2, token_bound_cidrs: [hunter2]}]}\n"
	if got := said(t, text); strings.Contains(got, "hunter2") || !strings.HasPrefix(got, "error") {
		t.Errorf("it is said\n%s", got)
	}
}
