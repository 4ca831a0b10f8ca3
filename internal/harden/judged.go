package harden

import "strings"

// uiHeaders is the path below which the UI's headers are.
const uiHeaders = "sys/config/ui/headers/"

// Judged are the fields of the seed by which a control can come out.
type Judged struct {
	// Fields are the fields of an object by their dotted names; none if no field of a seed makes the
	// control fail. Where says where in a seed they are.
	Fields []string
	Where  string
	// Why says why there are none.
	Why string
	// Whole is whether the fields are all that an object has: nobody else can make it fail without
	// changing what the seed declares.
	Whole bool
	// at returns the path of an object that the control blames.
	at func(object string) string
}

// JudgedFields returns the fields of the seed that a control judges.
func JudgedFields(id string) Judged { return judgedFields()[id] }

// judgedFields says of every control what a seed can declare of what it judges.
func judgedFields() map[string]Judged {
	policy := func(name string) string { return "sys/policies/acl/" + name }
	auth := func(name string) string { return "sys/auth/" + name }
	mount := func(name string) string {
		if method, isAuth := strings.CutPrefix(name, "auth/"); isAuth {
			return auth(method)
		}
		return "sys/mounts/" + name
	}
	none := func(why string) Judged { return Judged{Why: why} }
	const records, server, surroundings, absent = "it is in our records", "it is in the server's configuration", "it is outside Vault", "a seed adds what is missing, and cannot declare that it is missing"
	return map[string]Judged{
		"default-policy":    {Fields: []string{"policy"}, Where: "`policies`, of the name `default`: `rules`", Whole: true, at: func(string) string { return policy("default") }},
		"wildcard-policies": {Fields: []string{"policy"}, Where: "`policies`: `rules`", Whole: true, at: policy},
		"sudo-policies":     {Fields: []string{"policy"}, Where: "`policies`: `rules`", Whole: true, at: policy},
		"role-bindings": {Fields: roleFields(), Where: "`auth`, roles: a binding to `*`, or `bind_secret_id: false`. A role without any binding was declared by omission, which is not accepted",
			at: func(role string) string { return "auth/" + role }},
		"user-lockout":      {Fields: []string{"config.user_lockout_config.lockout_disable"}, Where: "`auth`: `options.user_lockout_config.lockout_disable`", Whole: true, at: auth},
		"audit-raw":         {Fields: []string{"options.log_raw"}, Where: "`audit`: `options.log_raw`", Whole: true, at: func(device string) string { return "sys/audit/" + device }},
		"mount-lease-ttl":   {Fields: []string{"config.max_lease_ttl", "config.default_lease_ttl"}, Where: "`auth`: `options`, `secrets`: `config`: `max_lease_ttl` and `default_lease_ttl`", Whole: true, at: mount},
		"listed-mounts":     {Fields: []string{"config.listing_visibility"}, Where: "`auth`: `options`, `secrets`: `config`: `listing_visibility`", Whole: true, at: mount},
		"password-policies": {Fields: []string{"policy"}, Where: "`password-policies`: `rules`", Whole: true, at: func(name string) string { return "sys/policies/password/" + name }},
		"cors":              {Fields: []string{"allowed_origins"}, Where: "`cors`: `allowed_origins`", Whole: true, at: func(string) string { return "sys/config/cors" }},
		"ui-headers":        {Fields: []string{"values"}, Where: "`ui-headers`", Whole: true, at: func(name string) string { return uiHeaders + strings.ToLower(name) }},

		"own-login":       none("our login is made by the program"),
		"root-token-gone": none(records), "root-tokens": none("tokens are issued, not declared"), "lasting-tokens": none("tokens are issued, not declared"),
		"audit-device": none(absent), "second-audit-device": none(absent), "rate-limit": none(absent),
		"server-lease-ttl": none(server), "ui-exposure": none(server), "open-endpoints": none(server), "tls-listeners": none(server), "raw-storage-endpoint": none(server),
		"introspection": none(server), "mlock": none(server), "seal-type": none(server),
		"log-level": none("no section of a seed declares it"), "key-rotation": none("no section of a seed declares it"),
		"generate-root-idle": none("it is an operation"), "rekey-idle": none("it is an operation"), "key-age": none("it is a matter of time"),
		"keys-encrypted": none(records), "keys-second-recipient": none(records), "recipients-proven": none(records),
		"tls-certificate": none(surroundings), "version": none(surroundings), "clock-skew": none(surroundings),
		"raft-autopilot": none(surroundings), "raft-quorum": none(surroundings), "raft-dead-peers": none(surroundings),
		"keys-secret-readers": none(surroundings), "keys-secret-owner": none(surroundings), "records-in-danger": none(surroundings),
		"pod-security": none(surroundings), "network-policy": none(surroundings),
	}
}

// roleFields are the fields of roles that bind a login, with which a seed can say that it is for
// everybody.
func roleFields() []string {
	return []string{
		"bind_secret_id", "bound_service_account_names", "bound_service_account_namespaces", "bound_subject", "bound_claims",
		"bound_iam_principal_arn", "bound_account_id", "bound_ami_id", "bound_vpc_id", "bound_subnet_id", "bound_region", "bound_iam_role_arn",
		"bound_iam_instance_profile_arn", "bound_ec2_instance_id",
		"allowed_names", "allowed_common_names", "allowed_dns_sans", "allowed_email_sans", "allowed_uri_sans", "allowed_organizational_units", "required_extensions",
	}
}

// limited returns the control that compares what a seed can declare with a limit; "" if there is
// none.
func limited(limit string) string {
	return map[string]string{"lease-ttl": "mount-lease-ttl", "password-length": "password-policies"}[limit]
}

// namesNothing are the controls whose findings name no objects.
func namesNothing() []string {
	return []string{
		"own-login", "root-token-gone", "audit-device", "second-audit-device", "server-lease-ttl", "rate-limit", "cors", "ui-exposure", "raw-storage-endpoint",
		"introspection", "mlock", "log-level", "generate-root-idle", "rekey-idle", "key-age", "key-rotation", "seal-type", "raft-autopilot", "raft-quorum",
	}
}
