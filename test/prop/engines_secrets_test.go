package prop_test

// below is an endpoint under 'configuration'.
func below(child, label string, fields ...spec) endpoint {
	return endpoint{place: []string{"configuration", child}, path: child, shape: listed, label: label, fields: fields}
}

// settingsOf is one with a single object.
func settingsOf(child string, fields ...spec) endpoint {
	e := below(child, "", fields...)
	e.most = 1
	return e
}

func (e endpoint) staying() endpoint  { e.stays = true; return e }
func (e endpoint) needed() endpoint   { e.must = true; return e }
func (e endpoint) madeOnce() endpoint { e.once, e.kept = true, true; return e }
func (e endpoint) writtenTo(path, suffix string) endpoint {
	e.write, e.suffix = path, suffix
	return e
}

// secretsEngines are the secrets engines. None of what is made here has the server call out.
func secretsEngines() []engine {
	return []engine{
		{kind: "kv", options: []spec{{name: "options > version", make: fixedTo(nameOf("2")), must: true, fixed: true}}, endpoints: []endpoint{
			settingsOf("config", spec{name: "max_versions", make: loose(numbers(3, 7, 20)), must: true}, spec{name: "cas_required", make: loose(truths())}, spec{name: "delete_version_after", make: seconds(86400, 864000)}).staying(),
		}},
		{kind: "kv-v1"},
		{kind: "kv-v2"},
		{kind: "transit", endpoints: []endpoint{
			// Vault takes a type only when a key is made, and a deletion only of keys that allow it.
			below("keys", "name",
				spec{name: "deletion_allowed", make: fixedTo(truthOf(true)), must: true, fixed: true},
				spec{name: "type", make: names("aes256-gcm96", "chacha20-poly1305", "ed25519", "ecdsa-p256"), fixed: true, chance: 2},
				spec{name: "auto_rotate_period", make: seconds(7200, 86400, 604800)},
				spec{name: "min_decryption_version", make: fixedTo(numberOf(1)), fixed: true},
				spec{name: "exportable", make: fixedTo(truthOf(true)), fixed: true, chance: 5},
			).writtenTo("keys", "/config"),
			settingsOf("cache-config", spec{name: "size", make: loose(numbers(600, 700)), must: true}).staying(),
			settingsOf("config/keys", spec{name: "disable_upsert", make: loose(truths()), must: true}).staying(),
		}},
		{kind: "pki", endpoints: []endpoint{
			{place: []string{"configuration", "root/generate"}, path: "root/generate", shape: listed, label: "name", most: 1, once: true, kept: true, fields: []spec{
				{name: "common_name", make: texts("Example Root", "other.example"), must: true, fixed: true},
				{name: "key_type", make: fixedTo(nameOf("ec")), must: true, fixed: true},
				{name: "key_bits", make: fixedTo(numberOf(256)), must: true, fixed: true},
				{name: "ttl", make: seconds(864000), must: true, fixed: true},
			}},
			settingsOf("config/urls", spec{name: "issuing_certificates", make: some("https://vault.example/ca", "https://other.example/ca"), must: true}, spec{name: "crl_distribution_points", make: some("https://vault.example/crl", "https://other.example/crl")}).staying(),
			settingsOf("config/crl", spec{name: "expiry", make: seconds(259200, 172800, 90000), must: true}, spec{name: "disable", make: loose(truths())}).staying(),
			below("roles", "name",
				spec{name: "allowed_domains", make: some("example.org", "svc.local", "example.com"), must: true},
				spec{name: "allow_subdomains", make: loose(truths())},
				spec{name: "allow_any_name", make: loose(truths())},
				spec{name: "key_type", make: names("ec", "rsa", "any")},
				spec{name: "ttl", make: seconds(600, 3600)},
				spec{name: "max_ttl", make: seconds(7200, 86400)},
				spec{name: "ou", make: some("web", "ops")},
				spec{name: "key_usage", make: some("DigitalSignature", "KeyAgreement", "KeyEncipherment")},
				spec{name: "require_cn", make: loose(truths())},
			),
		}},
		{kind: "ssh", endpoints: []endpoint{
			settingsOf("config/ca", spec{name: "generate_signing_key", make: fixedTo(truthOf(true)), must: true, fixed: true}, spec{name: "key_type", make: fixedTo(nameOf("ed25519")), must: true, fixed: true}).madeOnce(),
			below("roles", "name",
				spec{name: "key_type", make: fixedTo(nameOf("ca")), must: true, fixed: true},
				spec{name: "allow_user_certificates", make: fixedTo(truthOf(true)), must: true, fixed: true},
				spec{name: "allowed_users", make: texts("*", "deploy,admin", "ops"), must: true},
				spec{name: "default_user", make: texts("admin", "deploy")},
				spec{name: "ttl", make: seconds(600, 1800)},
				spec{name: "max_ttl", make: seconds(3600, 7200)},
				spec{name: "default_extensions", make: dictionary("permit-pty", "permit-agent-forwarding")},
				spec{name: "algorithm_signer", make: names("default", "rsa-sha2-256")},
			),
		}},
		{kind: "database", endpoints: []endpoint{
			below("config", "name",
				spec{name: "plugin_name", make: fixedTo(nameOf("postgresql-database-plugin")), must: true, fixed: true},
				spec{name: "connection_url", make: texts("postgresql://{{username}}:{{password}}@db.example/orders", "postgresql://{{username}}:{{password}}@other.example/orders"), must: true},
				// Vault would connect.
				spec{name: "verify_connection", make: fixedTo(truthOf(false)), must: true, fixed: true, hidden: true},
				spec{name: "username", make: texts("vault", "manager"), must: true},
				spec{name: "password", make: password, must: true, hidden: true},
				spec{name: "allowed_roles", make: some("reader", "writer", "*")},
				spec{name: "root_rotation_statements", make: statements},
			).needed(),
			below("roles", "name",
				spec{name: "db_name", make: texts("main", "orders"), must: true},
				spec{name: "creation_statements", make: statements, must: true},
				spec{name: "revocation_statements", make: statements},
				spec{name: "default_ttl", make: seconds(600, 3600)},
				spec{name: "max_ttl", make: seconds(7200, 86400)},
			),
		}},
		{kind: "aws", endpoints: []endpoint{
			settingsOf("config/root",
				spec{name: "access_key", make: texts("AKIAEXAMPLE", "AKIAOTHER"), must: true},
				spec{name: "secret_key", make: password, must: true, hidden: true},
				spec{name: "region", make: texts("eu-central-1", "us-east-1")},
			).staying(),
			settingsOf("config/lease", spec{name: "lease", make: seconds(1800, 3600), must: true}, spec{name: "lease_max", make: seconds(86400, 90000), must: true}).staying(),
			below("roles", "name",
				spec{name: "credential_type", make: fixedTo(nameOf("iam_user")), must: true, fixed: true},
				spec{name: "policy_arns", make: some("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/Other"), must: true},
				spec{name: "iam_groups", make: some("devs", "ops")},
			),
		}},
		{kind: "rabbitmq", endpoints: []endpoint{
			settingsOf("config/lease", spec{name: "ttl", make: seconds(1800, 3600), must: true}, spec{name: "max_ttl", make: seconds(7200, 86400), must: true}).staying(),
			below("roles", "name", spec{name: "tags", make: texts("administrator", "monitoring"), must: true}, spec{name: "vhosts", make: texts(`{"/":{"write":".*","read":".*"}}`, `{"/":{"read":"a"}}`)}),
		}},
		{kind: "consul", endpoints: []endpoint{
			settingsOf("config/access", spec{name: "address", make: texts("consul.example:8500", "other.example:8500"), must: true}, spec{name: "token", make: password, must: true, hidden: true}, spec{name: "scheme", make: names("http", "https")}).staying(),
			below("roles", "name", spec{name: "consul_policies", make: some("read", "write"), must: true}, spec{name: "ttl", make: seconds(600, 3600)}, spec{name: "local", make: loose(truths())}),
		}},
		{kind: "nomad", endpoints: []endpoint{
			settingsOf("config/lease", spec{name: "ttl", make: seconds(1800, 3600), must: true}, spec{name: "max_ttl", make: seconds(7200, 86400), must: true}),
			below("role", "name", spec{name: "policies", make: some("read", "write"), must: true}, spec{name: "global", make: loose(truths())}),
		}},
		{kind: "totp", endpoints: []endpoint{
			below("keys", "name",
				spec{name: "url", make: secretText("otpauth://totp/Example:bot@example?secret=Y64VEVMBTSXCYIWRSHRNDZW62MPGVU2G&issuer=Example"), must: true, fixed: true, hidden: true},
				spec{name: "create_only", make: fixedTo(truthOf(true)), must: true, fixed: true},
			).madeOnce(),
		}},
	}
}

// statements are SQL, with what YAML and lists of words stumble over. Vault takes a text as one
// statement.
func statements(g *generator) value {
	all := []string{`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}';`, `GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO "{{name}}";`, `ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'; -- # not a comment`, "REVOKE ALL\n  ON x FROM \"{{name}}\";"}
	out := listOf()
	for _, at := range g.rng.Perm(len(all))[:1+g.rng.IntN(2)] {
		out.items = append(out.items, proseOf(all[at]))
	}
	return out
}
