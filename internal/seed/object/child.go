package object

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// AuthConfig returns the configuration of the auth method kind mounted at path.
func AuthConfig(path, kind string, fields map[string]any) Object {
	if kind == "aws" { // whose configuration is several paths
		return AuthChild(path, kind, "config/client", "", fields)
	}
	return AuthChild(path, kind, "config", "", fields)
}

// Role returns the role name of the auth method kind mounted at path.
func Role(path, kind, name string, fields map[string]any) Object {
	return AuthChild(path, kind, RolesOf(kind), name, fields)
}

// RolesOf returns the path segment of an auth method's roles.
func RolesOf(kind string) string {
	switch kind {
	case "token", "cf":
		return "roles"
	case "cert":
		return "certs"
	}
	return "role"
}

// User returns the user name of the userpass method mounted at path.
func User(path, name string, fields map[string]any) Object {
	return AuthChild(path, "userpass", "users", strings.ToLower(name), fields)
}

// AuthChild returns an object below the auth method kind mounted at path: at segment, or at name
// below that.
func AuthChild(path, kind, segment, name string, fields map[string]any) Object {
	return below("auth/"+value.TrimPath(path), ID("sys/auth/"+value.TrimPath(path)), "auth/"+kind, segment, name, fields)
}

// SecretsChild returns an object below the secrets engine kind mounted at path.
func SecretsChild(path, kind, segment, name string, fields map[string]any) Object {
	return below(value.TrimPath(path), ID("sys/mounts/"+value.TrimPath(path)), kind, segment, name, fields)
}

func below(root string, mount ID, kind, segment, name string, fields map[string]any) Object {
	id := root + "/" + segment
	if name != "" {
		id += "/" + name
	}
	o := Object{
		ID: ID(id), Stage: StageRoles, Mount: mount, Type: strings.TrimPrefix(kind, "auth/"),
		Data: value.Protect(fields), Endpoint: strings.TrimPrefix(kind, "auth/") + "/" + segment,
	}
	if folds(kind, segment) {
		o.Folded = len(name)
	}
	if segment == "config" || strings.HasPrefix(segment, "config/") {
		o.Stage = StageConfig
	}
	quirks(&o, root, kind, segment)
	return o
}

// quirks sets the traits of APIs that differ from 'write to a path, read it there'. All were seen
// on Vault 1.21.
func quirks(o *Object, root, kind, segment string) {
	id := string(o.ID)
	switch {
	case kind == "pki" && (slices.Contains([]string{"root/generate", "intermediate/generate", "issuers/generate/root", "issuers/generate/intermediate", "config/ca", "intermediate/set-signed", "issuers/import"}, segment)):
		// They create an issuer each time. If there is one, they are not needed.
		o.Stage, o.Traits.Once, o.Traits.Read = StageConfig, true, root+"/config/issuers"
		o.Traits.Extract = func(_ Object, answer map[string]any) (map[string]any, bool) {
			return nil, !value.IsEmpty(answer["default"])
		}
	case kind == "ssh" && segment == "config/ca":
		// Vault refuses to replace the key, and answers 400 while there is none.
		o.Traits.Once, o.Traits.AbsentStatus = true, http.StatusBadRequest
	case kind == "auth/cert" && segment == "crls":
		o.Traits.AbsentStatus = http.StatusBadRequest // 'no such CRL'
	case kind == "transit" && segment == "keys":
		o.Traits.Split = &Split{
			Update: id + "/config",
			Create: []string{"type", "derived", "convergent_encryption", "exportable", "allow_plaintext_backup", "key_size", "auto_rotate_period", "managed_key_name", "managed_key_id", "parameter_set", "hybrid_key_type_pqc", "hybrid_key_type_ec"},
			Fixed:  []string{"type", "derived", "convergent_encryption", "key_size", "managed_key_name", "managed_key_id", "parameter_set", "hybrid_key_type_pqc", "hybrid_key_type_ec"},
		}
	case kind == "database" && segment == "config":
		// What is written as one layer is shown as two.
		o.Traits.Extract = func(_ Object, answer map[string]any) (map[string]any, bool) {
			shown := maps.Clone(answer)
			details, _ := answer["connection_details"].(map[string]any)
			maps.Copy(shown, details)
			// These statements are written under one name and shown under another.
			if statements, there := answer["root_credentials_rotate_statements"]; there {
				shown["root_rotation_statements"] = statements
			}
			return shown, true
		}
	}
}

// RotationPath returns the path that rotates the credential of an object, or "" if Vault cannot
// rotate it.
func RotationPath(root, kind, segment, name string) string {
	switch {
	case kind == "database" && segment == "config" && name != "":
		return root + "/rotate-root/" + name
	case kind == "aws" && segment == "config/root":
		return root + "/config/rotate-root"
	case kind == "gcp" && name != "":
		return root + "/" + segment + "/" + name + "/rotate"
	case (kind == "azure" || kind == "ldap" || kind == "gcp") && segment == "config":
		return root + "/rotate-root"
	}
	return ""
}

// FixedAtCreation lists the fields of o that Vault accepts only at creation.
func FixedAtCreation(o Object) []string {
	if o.Traits.Split != nil {
		return o.Traits.Split.Fixed
	}
	if o.Endpoint == "approle/role" {
		return []string{"local_secret_ids"}
	}
	return nil
}
