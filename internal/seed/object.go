package seed

import (
	"cmp"
	"maps"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// ID names an object: its API path, such as "auth/kubernetes/role/app".
type ID string

// parts returns the namespace that an object of Vault's own paths lives in, with a slash
// at its end, and the rest. Names further on may look like such paths, too; a namespace
// cannot.
func (id ID) parts() (ns, path string) {
	before := 0
	for segment := range strings.SplitSeq(string(id), "/") {
		if segment == "auth" || segment == "identity" || segment == "sys" {
			return string(id[:before]), string(id[before:])
		}
		before += len(segment) + 1
	}
	return "", string(id)
}

// Stage is when an object is applied. A stage begins when the one before is done.
type Stage int

// The stages, in the order in which they are applied. Audit comes first, so that
// what follows is on record; policies follow the roles that name them, since Vault
// looks a policy up only when a token is used. Values come before the configuration
// that may refer to them.
const (
	StageAudit Stage = iota
	StageNamespaces
	StagePlugins
	StagePasswords
	StageMounts
	StageTune
	StageValues
	StageConfig
	StageRoles
	StagePolicies
	StageIdentity
	StageGroups
	StageAliases
	StageQuotas
	StageSettings
	StageRequests
	StageDeletions
)

var stageNames = [...]string{
	"audit", "namespaces", "plugins", "password policies", "mounts", "tune", "values", "config", "roles", "policies",
	"identity", "groups", "aliases", "quotas", "settings", "requests", "deletions",
}

// String returns the stage's name.
func (s Stage) String() string { return stageNames[s] }

// Object is one thing that Vault should hold.
type Object struct {
	ID ID
	// Stage is when it is created. A mount that exists is changed in StageTune.
	Stage Stage
	// Position is where the seed says so; zero for the program's own objects.
	Position value.Position
	// Mount is the mount that it lives below, empty for what needs none.
	Mount ID
	// Type is the type of the mount that it is or lives below, such as "kv".
	Type string
	// Data holds the fields as they are written to Vault: string, bool,
	// json.Number, []any and map[string]any, secret.Value for what must not be
	// shown, and templates that only Vault can answer. Fields that it does not name
	// are not ours.
	Data map[string]any
	// endpoint is what all objects of one API share ("kubernetes/role"): what Vault
	// shows of one, it shows of all.
	endpoint string
	// ns is the namespace that it lives in with a slash at its end, or empty.
	ns string
	// order comes before the ID when the objects of a stage depend on each other.
	order int
	// folded is how many bytes of the ID are a name that Vault takes in any letter case,
	// and tail how many come after it. mayFold is folded where Vault may take it so.
	folded, tail, mayFold int
	how                   traits
}

// traits are how an object differs from one that is written to its ID and read there.
type traits struct {
	// read is the path that it is read at, and write the one that it is written to,
	// where that is not the ID.
	read, write string
	// absent is a status with which Vault says that there is nothing, besides 404.
	absent int
	// once objects are made where they are missing, and never changed.
	once bool
	// hushed objects have values that must not be shown, whatever they are called.
	hushed bool
	// exact objects hold values that Vault keeps to the letter, and whole ones nothing
	// but the fields that they have.
	exact, whole bool
	// extra is written with Data and not compared.
	extra map[string]any
	// see turns what Vault answers into fields as Data has them; there is false when
	// the answer does not hold the object. nil takes the answer as it is.
	see func(o Object, answer map[string]any) (shown map[string]any, there bool)
	// key is a field of what Vault shows that tells an update which object is meant,
	// where the path does not.
	key string
	// rotate is written to once, after the object was made.
	rotate string
	// saveTo is where Vault's answer is kept: the object that does it.
	saveTo *saving
	// unless says when a request is not needed; nil for what is no request.
	unless *condition
	// deletes is set for a request that deletes.
	deletes bool
	// split says which fields go where, if not all of them to one path.
	split *split
}

// split is for objects whose fields are set at two paths: some when it is made, the
// others at update, a path below it.
type split struct {
	update string
	// create holds the fields that are taken when it is made; fixed those of them that
	// cannot be changed later.
	create, fixed []string
}

// Policy returns the ACL policy name with rules in HCL or JSON.
func Policy(name, rules string) Object { return policy(name, rules) }

func policy(name string, rules any) Object {
	// Vault lower-cases policy names, so two spellings are one policy.
	id := ID("sys/policies/acl/" + strings.ToLower(name))
	return Object{ID: id, Stage: StagePolicies, Data: map[string]any{"policy": rules}, endpoint: "policy", how: traits{see: seePolicy}}
}

// AuditDevice returns the audit device kind at path. Fields may hold description,
// local and options.
func AuditDevice(path, kind string, fields map[string]any) Object {
	data := mountFields(fields)
	data["type"] = kind
	return Object{ID: ID("sys/audit/" + value.TrimPath(path)), Stage: StageAudit, Type: kind, Data: data, endpoint: "audit"}
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
	return Object{ID: ID(prefix + value.TrimPath(path)), Stage: StageMounts, Type: kind, Data: data, endpoint: "mount"}
}

// mountFields returns fields with the values of options as texts: that is what they
// are to Vault, which would turn true into "1".
func mountFields(fields map[string]any) map[string]any {
	data := value.Protect(fields)
	if options, ok := data["options"].(map[string]any); ok {
		for name, v := range options {
			if text, ok := value.ScalarText(v); ok {
				options[name] = text
			}
		}
	}
	return data
}

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
		if rest, ok := strings.CutPrefix(string(o.ID), o.ns+prefix+"/"); ok {
			return o.ns + prefix, rest
		}
	}
	return "", ""
}

// readPath returns where o is read.
func (o Object) readPath() string { return cmp.Or(o.how.read, string(o.ID)) }

// writePath returns where o is written.
func (o Object) writePath() string { return cmp.Or(o.how.write, string(o.ID)) }

// isRequest reports whether o is a request, not a thing.
func (o Object) isRequest() bool { return o.how.unless != nil }

// within returns o in a namespace.
func (o Object) within(ns string) Object {
	if ns == "" {
		return o
	}
	o.ns, o.ID = ns, ID(ns)+o.ID
	if o.Mount != "" {
		o.Mount = ID(ns) + o.Mount
	}
	for _, path := range []*string{&o.how.read, &o.how.write, &o.how.rotate} {
		if *path != "" {
			*path = ns + *path
		}
	}
	if o.how.split != nil {
		inner := *o.how.split
		inner.update, o.how.split = ns+inner.update, &inner
	}
	return o
}
