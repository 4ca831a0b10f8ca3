package seed

import (
	"maps"
	"strings"
)

// ID names an object: its API path, such as "auth/kubernetes/role/app".
type ID string

// Stage is when an object is applied. A stage begins when the one before is done.
type Stage int

// The stages, in the order in which they are applied. Audit comes first, so that
// what follows is on record; policies follow the roles that name them, since Vault
// looks a policy up only when a token is used.
const (
	StageAudit Stage = iota
	StagePlugins
	StageMounts
	StageTune
	StageConfig
	StageRoles
	StagePolicies
	StageIdentity
	StageQuotas
	StageRequests
)

var stageNames = [...]string{"audit", "plugins", "mounts", "tune", "config", "roles", "policies", "identity", "quotas", "requests"}

// String returns the stage's name.
func (s Stage) String() string { return stageNames[s] }

// Object is one thing that Vault should hold.
type Object struct {
	ID ID
	// Stage is when it is created. A mount that exists is changed in StageTune.
	Stage Stage
	// Position is where the seed says so; zero for the program's own objects.
	Position Position
	// Mount is the mount that it lives below, empty for what needs none.
	Mount ID
	// Type is the type of the mount that it is or lives below, such as "kv".
	Type string
	// Data holds the fields as they are written to Vault: string, bool,
	// json.Number, []any and map[string]any, and secret.Value for what must not be
	// shown. Fields that it does not name are not ours.
	Data map[string]any
	// endpoint is what all objects of one API share ("kubernetes/role"): what Vault
	// shows of one, it shows of all.
	endpoint string
}

// Policy returns the ACL policy name with rules in HCL or JSON.
func Policy(name, rules string) Object { return policy(name, rules) }

func policy(name string, rules any) Object {
	// Vault lower-cases policy names, so two spellings are one policy.
	id := ID("sys/policies/acl/" + strings.ToLower(name))
	return Object{ID: id, Stage: StagePolicies, Data: map[string]any{"policy": rules}, endpoint: "policy"}
}

// AuditDevice returns the audit device kind at path. Fields may hold description,
// local and options.
func AuditDevice(path, kind string, fields map[string]any) Object {
	data := mountFields(fields)
	data["type"] = kind
	return Object{ID: ID("sys/audit/" + trim(path)), Stage: StageAudit, Type: kind, Data: data, endpoint: "audit"}
}

// AuthMount returns the auth method kind at path. Fields may hold description,
// local, seal_wrap, options and config (the mount's settings).
func AuthMount(path, kind string, fields map[string]any) Object {
	return mount("sys/auth/", path, kind, fields)
}

// SecretsMount returns the secrets engine kind at path. Fields are those of AuthMount.
func SecretsMount(path, kind string, fields map[string]any) Object {
	// These types are spellings of kv that Vault never shows again.
	if version, ok := strings.CutPrefix(kind, "kv-v"); ok && (version == "1" || version == "2") {
		given, _ := fields["options"].(map[string]any)
		options := map[string]any{"version": version}
		maps.Copy(options, given)
		fields = maps.Clone(fields)
		if fields == nil {
			fields = map[string]any{}
		}
		kind, fields["options"] = "kv", options
	}
	return mount("sys/mounts/", path, kind, fields)
}

func mount(prefix, path, kind string, fields map[string]any) Object {
	data := mountFields(fields)
	data["type"] = kind
	return Object{ID: ID(prefix + trim(path)), Stage: StageMounts, Type: kind, Data: data, endpoint: "mount"}
}

// mountFields returns fields with the values of options as texts: that is what they
// are to Vault, which would turn true into "1".
func mountFields(fields map[string]any) map[string]any {
	data := protect(fields)
	if options, ok := data["options"].(map[string]any); ok {
		for name, value := range options {
			if text, ok := scalarText(value); ok {
				options[name] = text
			}
		}
	}
	return data
}

// AuthConfig returns the configuration of the auth method kind mounted at path.
func AuthConfig(path, kind string, fields map[string]any) Object {
	segment := "config"
	if kind == "aws" { // whose configuration is several paths
		segment = "config/client"
	}
	return child(path, kind, segment, "", StageConfig, fields)
}

// Role returns the role name of the auth method kind mounted at path.
func Role(path, kind, name string, fields map[string]any) Object {
	segment := "role"
	switch kind {
	case "token":
		segment = "roles"
	case "cert":
		segment = "certs"
	}
	return child(path, kind, segment, name, StageRoles, fields)
}

// User returns the user name of the userpass method mounted at path.
func User(path, name string, fields map[string]any) Object {
	return child(path, "userpass", "users", strings.ToLower(name), StageRoles, fields)
}

// child returns an object below the auth method kind mounted at path.
func child(path, kind, segment, name string, stage Stage, fields map[string]any) Object {
	id := "auth/" + trim(path) + "/" + segment
	if name != "" {
		id += "/" + name
	}
	return Object{
		ID: ID(id), Stage: stage, Mount: ID("sys/auth/" + trim(path)), Type: kind,
		Data: protect(fields), endpoint: kind + "/" + segment,
	}
}

func trim(path string) string { return strings.Trim(path, "/") }

// isMount reports whether o is an auth method or secrets engine itself.
func (o Object) isMount() bool { return o.Stage == StageMounts }

// isAudit reports whether o is an audit device.
func (o Object) isAudit() bool { return o.Stage == StageAudit }

// table returns the listing that shows o, and o's path in it; "" when o is read by
// its own path.
func (o Object) table() (listing, path string) {
	if !o.isMount() && !o.isAudit() {
		return "", ""
	}
	for _, prefix := range []string{"sys/audit", "sys/auth", "sys/mounts"} {
		if rest, ok := strings.CutPrefix(string(o.ID), prefix+"/"); ok {
			return prefix, rest
		}
	}
	return "", ""
}
