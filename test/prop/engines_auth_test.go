package prop_test

// endpoint is a kind of objects below a mount.
type endpoint struct {
	// place is where they stand in the mount, and path where they are below it, followed by the
	// name.
	place []string
	path  string
	shape shape
	// label is the key of the name; "" where there is one object only.
	label                            string
	fields                           []spec
	stays, kept, once, folds, unread bool
	// most is how many of them a mount has at most; 0 stands for 3. must says that there is one.
	most int
	must bool
	// write is the path of a change by hand, followed by the name, and suffix follows that.
	write, suffix string
}

// engine is an auth method or secrets engine with what can be below it. Everything was seen on
// Vault 1.21.1 and OpenBao 2.6.2, and none of it makes the server call out.
type engine struct {
	kind string
	// options are the mount's own fields; lockout says that it locks users out.
	endpoints []endpoint
	options   []spec
	lockout   bool
}

// tokenFields are those of everything that tokens are made by. A token_type of batch is not made:
// Vault refuses it beside the uses and periods of tokens.
func tokenFields(more ...spec) []spec {
	return append(more,
		spec{name: "token_policies", make: policies},
		spec{name: "token_ttl", make: seconds(60, 600, 1800, 3600), chance: 4},
		spec{name: "token_max_ttl", make: seconds(7200, 86400, 604800), chance: 5},
		spec{name: "token_explicit_max_ttl", make: seconds(5400, 90000, 864000), chance: 8},
		spec{name: "token_bound_cidrs", make: some("10.0.0.0/8", "192.168.7.0/24", "127.0.0.1/32", "172.16.0.0/12"), chance: 5},
		spec{name: "token_num_uses", make: loose(numbers(1, 5, 40)), chance: 6},
		spec{name: "token_no_default_policy", make: loose(truths()), chance: 6},
		spec{name: "token_type", make: names("default", "service"), chance: 8},
	)
}

func policies(g *generator) value { return some("app", "ops", "reader", "default", "ci")(g) }

// authEngines are the auth methods.
func authEngines() []engine {
	return []engine{
		{kind: "userpass", lockout: true, endpoints: []endpoint{
			{place: []string{"users"}, path: "users", shape: named, label: "username", folds: true, fields: tokenFields(spec{name: "password", make: password, must: true, hidden: true})},
		}},
		{kind: "approle", lockout: true, endpoints: []endpoint{
			{place: []string{"roles"}, path: "role", shape: named, label: "name", folds: true, fields: tokenFields(
				// Without a secret ID a role needs another constraint.
				spec{name: "bind_secret_id", make: fixedTo(truthOf(true)), fixed: true},
				spec{name: "secret_id_num_uses", make: loose(numbers(0, 1, 40))},
				spec{name: "secret_id_ttl", make: seconds(600, 86400, 7200)},
				spec{name: "secret_id_bound_cidrs", make: some("10.1.0.0/16", "192.168.0.0/16", "127.0.0.1/32"), chance: 5},
				spec{name: "local_secret_ids", make: loose(truths()), fixed: true, chance: 8},
			)},
		}},
		{kind: "kubernetes", endpoints: []endpoint{
			{place: []string{"configuration", "role"}, path: "role", shape: listed, label: "name", folds: true, most: 1, once: true, kept: true, fields: []spec{
				{name: "create_only", make: fixedTo(truthOf(true)), must: true, fixed: true},
				{name: "bound_service_account_names", make: some("app", "web"), must: true, fixed: true},
				{name: "bound_service_account_namespaces", make: some("app", "web"), must: true, fixed: true},
			}},
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: []spec{
				{name: "kubernetes_host", make: texts("https://10.0.0.1:6443", "https://kubernetes.example:443", "https://other.example"), must: true},
				{name: "disable_local_ca_jwt", make: fixedTo(truthOf(true)), must: true, fixed: true},
				// OpenBao wants a CA where there is no pod's.
				{name: "kubernetes_ca_cert", make: certificate, must: true, fixed: true},
				{name: "token_reviewer_jwt", make: password, hidden: true},
				{name: "use_annotations_as_alias_metadata", make: loose(truths()), only: "Vault"},
			}},
			{place: []string{"roles"}, path: "role", shape: named, label: "name", folds: true, fields: tokenFields(
				// Vault refuses * beside names.
				spec{name: "bound_service_account_names", make: some("app", "web", "job"), must: true},
				spec{name: "bound_service_account_namespaces", make: some("app", "web", "prod"), must: true},
				spec{name: "audience", make: texts("vault", "https://vault.example")},
				spec{name: "alias_name_source", make: names("serviceaccount_uid", "serviceaccount_name")},
			)},
		}},
		{kind: "jwt", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, must: true, fields: []spec{
				{name: "jwt_validation_pubkeys", make: fixedTo(listOf(proseOf(publicKey))), must: true, fixed: true},
				{name: "bound_issuer", make: texts("https://issuer.example", "https://other.example")},
				{name: "default_role", make: texts("deploy", "build")},
				{name: "jwt_supported_algs", make: some("ES256", "RS256", "ES384")},
			}},
			{place: []string{"roles"}, path: "role", shape: named, label: "name", fields: tokenFields(
				spec{name: "role_type", make: fixedTo(nameOf("jwt")), must: true, fixed: true},
				spec{name: "user_claim", make: texts("sub", "email"), must: true},
				spec{name: "bound_audiences", make: some("vault", "https://vault.example", "z"), must: true},
				spec{name: "bound_subject", make: texts("ci:main", "ci:release")},
				spec{name: "bound_claims", make: dictionary("project", "branch", "team")},
				spec{name: "claim_mappings", make: claimMappings},
				spec{name: "groups_claim", make: texts("groups", "roles")},
				spec{name: "clock_skew_leeway", make: seconds(30, 60, 120)},
				spec{name: "verbose_oidc_logging", make: loose(truths())},
			)},
		}},
		{kind: "ldap", lockout: true, endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: tokenFields(
				spec{name: "url", make: texts("ldaps://ldap.example", "ldap://one.example,ldap://two.example"), must: true},
				spec{name: "binddn", make: texts("cn=vault,dc=example", "cn=other"), must: true},
				spec{name: "bindpass", make: password, hidden: true},
				spec{name: "userdn", make: texts("ou=people,dc=example", "ou=staff")},
				spec{name: "userattr", make: texts("uid", "samaccountname")},
				spec{name: "groupdn", make: texts("ou=groups,dc=example")},
				spec{name: "groupfilter", make: texts("(&(objectClass=person)(uid={{.Username}}))", "(member={{.UserDN}})")},
				spec{name: "request_timeout", make: seconds(30, 45, 120)},
				spec{name: "insecure_tls", make: loose(truths())},
				// At most tls_max_version, which is tls12.
				spec{name: "tls_min_version", make: names("tls11", "tls12")},
				spec{name: "case_sensitive_names", make: loose(truths()), fixed: true},
			)},
			{place: []string{"groups"}, path: "groups", shape: named, label: "name", fields: []spec{{name: "policies", make: policies, must: true}}},
			{place: []string{"users"}, path: "users", shape: named, label: "username", fields: []spec{{name: "policies", make: policies, must: true}, {name: "groups", make: some("devs", "ops"), chance: 2}}},
		}},
		{kind: "okta", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: tokenFields(
				spec{name: "org_name", make: texts("example", "other"), must: true},
				spec{name: "base_url", make: texts("okta.com", "oktapreview.com")},
				spec{name: "bypass_okta_mfa", make: loose(truths())},
			)},
			{place: []string{"groups"}, path: "groups", shape: named, label: "name", folds: true, fields: []spec{{name: "policies", make: policies, must: true}}},
			{place: []string{"users"}, path: "users", shape: named, label: "username", fields: []spec{{name: "policies", make: policies, must: true}}},
		}},
		{kind: "radius", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: tokenFields(
				spec{name: "host", make: texts("radius.example", "radius.other"), must: true},
				spec{name: "secret", make: password, must: true, hidden: true},
				spec{name: "port", make: loose(numbers(1812, 1813))},
				spec{name: "dial_timeout", make: seconds(5, 10, 30)},
				spec{name: "nas_port", make: loose(numbers(10, 20))},
			)},
			{place: []string{"users"}, path: "users", shape: named, label: "username", fields: []spec{{name: "policies", make: policies, must: true}}},
		}},
		{kind: "github", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: tokenFields(
				spec{name: "organization", make: texts("example", "other"), must: true},
				// Without it Vault asks GitHub for it.
				spec{name: "organization_id", make: fixedTo(numberOf(42)), must: true, fixed: true},
				spec{name: "base_url", make: texts("https://github.example/api")},
			)},
			// Vault takes no dot in these names: it answers that there is no such path.
			{place: []string{"map", "teams"}, path: "map/teams", shape: bare, folds: true, fields: []spec{{name: "value", make: policies, must: true}}},
			{place: []string{"map", "users"}, path: "map/users", shape: bare, folds: true, fields: []spec{{name: "value", make: policies, must: true}}},
		}},
		{kind: "cert", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, stays: true, fields: []spec{
				{name: "disable_binding", make: loose(truths()), must: true},
				{name: "enable_identity_alias_metadata", make: loose(truths())},
			}},
			{place: []string{"roles"}, path: "certs", shape: named, label: "name", folds: true, most: 2, fields: certificateRole()},
			{place: []string{"certificates"}, path: "certs", shape: named, label: "name", folds: true, most: 1, fields: certificateRole()},
			{place: []string{"crls"}, path: "crls", shape: named, label: "name", folds: true, most: 1, unread: true, fields: []spec{{name: "crl", make: revocations, must: true, fixed: true, hidden: true}}},
		}},
		{kind: "aws", endpoints: []endpoint{
			{place: []string{"config"}, path: "config/client", shape: single, fields: []spec{
				{name: "access_key", make: texts("AKIAEXAMPLE", "AKIAOTHER"), must: true},
				{name: "secret_key", make: password, must: true, hidden: true},
				{name: "iam_server_id_header_value", make: texts("vault.example", "other.example")},
				{name: "max_retries", make: loose(numbers(3, 5))},
			}},
			{place: []string{"config/identity"}, path: "config/identity", shape: single, stays: true, fields: []spec{
				{name: "iam_alias", make: names("unique_id", "role_id", "full_arn"), must: true},
				{name: "iam_metadata", make: some("canonical_arn", "account_id", "auth_type", "client_user_id")},
			}},
			{place: []string{"config/tidy/identity-accesslist"}, path: "config/tidy/identity-accesslist", shape: single, fields: []spec{
				{name: "safety_buffer", make: seconds(7200, 10800), must: true},
				{name: "disable_periodic_tidy", make: loose(truths())},
			}},
			{place: []string{"crossaccountrole"}, path: "config/sts", shape: listed, label: "sts_account", most: 1, fields: []spec{
				{name: "sts_role", make: texts("arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/other"), must: true},
			}},
			{place: []string{"roles"}, path: "role", shape: named, label: "name", folds: true, fields: tokenFields(
				spec{name: "auth_type", make: fixedTo(nameOf("iam")), must: true, fixed: true},
				spec{name: "bound_iam_principal_arn", make: some("arn:aws:iam::123456789012:role/node", "arn:aws:iam::123456789012:role/x*"), must: true},
				spec{name: "resolve_aws_unique_ids", make: fixedTo(truthOf(false)), must: true, fixed: true},
			)},
		}},
		{kind: "gcp", endpoints: []endpoint{
			{place: []string{"roles"}, path: "role", shape: named, label: "name", folds: true, fields: tokenFields(
				spec{name: "type", make: fixedTo(nameOf("iam")), must: true, fixed: true},
				spec{name: "bound_service_accounts", make: some("a@b.iam.gserviceaccount.com", "c@d.iam.gserviceaccount.com"), must: true},
				spec{name: "max_jwt_exp", make: seconds(600, 900)},
			)},
		}},
		{kind: "azure", endpoints: []endpoint{
			{place: []string{"roles"}, path: "role", shape: named, label: "name", folds: true, fields: tokenFields(
				spec{name: "bound_subscription_ids", make: some("subscription-a", "subscription-b"), must: true},
				spec{name: "bound_locations", make: some("westeurope", "northeurope")},
			)},
		}},
		{kind: "kerberos", endpoints: []endpoint{
			{place: []string{"groups"}, path: "groups", shape: named, label: "name", fields: []spec{{name: "policies", make: policies, must: true}}},
		}},
		{kind: "alicloud", endpoints: []endpoint{
			{place: []string{"roles"}, path: "role", shape: named, label: "name", fields: tokenFields(
				spec{name: "arn", make: texts("acs:ram::5138828231865461:role/app", "acs:ram::5138828231865461:role/web"), must: true},
			)},
		}},
		{kind: "oci", endpoints: []endpoint{
			{place: []string{"config"}, path: "config", shape: single, fields: []spec{{name: "home_tenancy_id", make: texts("ocid1.tenancy.oc1..aaaaaaaah7zkvaffv26pzyauoe2zbnionqvhvsexamplebwqbgeum", "ocid1.tenancy.oc1..aaaaaaaah7zkvaffv26pzyauoe2zbnionqvhvsexampleother"), must: true}}},
		}},
	}
}

func certificateRole() []spec {
	return tokenFields(
		spec{name: "certificate", make: certificate, must: true, fixed: true},
		spec{name: "display_name", make: texts("web", "api")},
		spec{name: "allowed_common_names", make: some("web.example", "api.example", "*.example")},
		spec{name: "allowed_dns_sans", make: some("a.example", "b.example")},
	)
}
