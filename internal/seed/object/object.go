package object

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// ID names an object: its API path, such as "auth/kubernetes/role/app".
type ID string

// String returns the ID as people write it: in that of an alias, names are escaped.
func (id ID) String() string {
	if alias, isAlias := ParseAlias(id); isAlias {
		return alias.Namespace + "identity/" + alias.Of + "-alias/" + alias.Owner + "/" + alias.Name + "/" + alias.Mount
	}
	return string(id)
}

// IsPlugin reports whether id is that of an entry of the plugin catalog.
func (id ID) IsPlugin() bool { return strings.Contains("/"+string(id), "/sys/plugins/catalog/") }

// canonical returns the ID of a plugin with its version as Vault writes it, and other IDs
// as they are.
func (id ID) canonical() ID {
	text := string(id)
	if at := strings.LastIndexByte(text, '@'); id.IsPlugin() && at > strings.LastIndexByte(text, '/') {
		return ID(text[:at+1] + canonicalVersion(text[at+1:]))
	}
	return id
}

// Stage is when an object is applied. A stage starts when the one before is done.
type Stage int

// The stages, in the order in which they are applied. Audit comes first, so that what follows is
// logged. Policies follow the roles that name them, since Vault looks a policy up only when a token
// is used. Values come before the configuration that may refer to them.
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
	// Position is its position in the seed; zero for the program's own objects.
	Position value.Position
	// Mount is the mount that it is below; empty if it needs none.
	Mount ID
	// Type is the type of the mount that it is or is below, such as "kv".
	Type string
	// Data holds the fields as written to Vault: string, bool, json.Number, []any and
	// map[string]any, secret.Value for what must not be shown, and templates that only Vault can
	// resolve. We do not manage other fields.
	Data map[string]any
	// Endpoint names the API ("kubernetes/role"): what Vault shows of one of its objects, it shows
	// of all.
	Endpoint string
	// Namespace is its namespace, with a trailing slash, or empty.
	Namespace string
	// Order precedes the ID if the objects of a stage depend on each other.
	Order int
	// Folded is how many bytes of the ID are a name whose case Vault ignores, and tail is how many
	// follow it. MayFold is the same for a name whose case Vault may ignore.
	Folded, tail, MayFold int
	Traits                Traits
}

// Traits say how an object differs from one that is written and read at its ID.
type Traits struct {
	// Read is the path at which it is read, and Write the one to which it is written, if that is
	// not the ID.
	Read, Write string
	// AbsentStatus is a status, besides 404, that means that the object does not exist.
	AbsentStatus int
	// Once objects are created if they are missing, and never changed.
	Once bool
	// Redacted objects have values that must not be shown, whatever they are called.
	Redacted bool
	// Exact objects hold values that Vault keeps verbatim, and Whole objects have no fields besides
	// those declared.
	Exact, Whole bool
	// Extra is written with Data and not compared.
	Extra map[string]any
	// Extract turns Vault's answer into fields as in Data; there is false if the answer does not
	// contain the object. nil uses the answer as it is.
	Extract func(o Object, answer map[string]any) (shown map[string]any, there bool)
	// Key is a field in Vault's answer that identifies the object of an update, if the path does
	// not.
	Key string
	// Rotate is the path that is written to once, after the object was created.
	Rotate string
	// SaveTo is where Vault's answer is kept; nil if it is not.
	SaveTo *Saving
	// Unless says when a request is not needed; nil if the object is not a request.
	Unless *Condition
	// Deletes is set for a request that deletes.
	Deletes bool
	// Split says which fields are written to which path, if there are two.
	Split *Split
}

// Split is for objects whose fields are set at two paths: some at creation, the others at the path
// Update.
type Split struct {
	// Update is the path to which the others are written.
	Update string
	// Create holds the fields that are set at creation; Fixed are those of them that cannot be
	// changed later.
	Create, Fixed []string
}

// Policy returns the ACL policy name with rules in HCL or JSON, or a reference to them.
func Policy(name string, rules any) Object {
	// Vault lower-cases policy names, so two spellings are one policy.
	id := ID("sys/policies/acl/" + strings.ToLower(name))
	return Object{ID: id, Stage: StagePolicies, Data: map[string]any{"policy": rules}, Endpoint: "policy", Traits: Traits{Extract: extractPolicy}}
}

// Literal reports whether Vault keeps an object exactly as written, or refuses it. It parses the
// text of a policy and stores that text itself (handlePoliciesSet in Vault 1.21); in other objects
// it sets defaults and normalizes values.
func (o Object) Literal() bool { return o.Endpoint == "policy" }

// IsMount reports whether o is an auth method or secrets engine itself.
func (o Object) IsMount() bool { return o.Stage == StageMounts }

// IsAudit reports whether o is an audit device.
func (o Object) IsAudit() bool { return o.Stage == StageAudit }

// ServerWide reports whether o is something that every server has only in its root namespace.
//
// Quotas and the UI's headers are so on OpenBao, too, but Vault Enterprise lets an administrative
// namespace have its own: whether they are refused is seen when the server is asked.
func (o Object) ServerWide() bool {
	return o.IsAudit() || o.Stage == StageSettings && o.Endpoint == "cors"
}

// IsRequest reports whether o is a request, rather than an object of Vault.
func (o Object) IsRequest() bool { return o.Traits.Unless != nil }

// Table returns the listing that shows o, and o's path in it; "" if o is read at its own path.
func (o Object) Table() (listing, path string) {
	if !o.IsMount() && !o.IsAudit() {
		return "", ""
	}
	for _, prefix := range []string{"sys/audit", "sys/auth", "sys/mounts"} {
		if rest, ok := strings.CutPrefix(string(o.ID), o.Namespace+prefix+"/"); ok {
			return o.Namespace + prefix, rest
		}
	}
	return "", ""
}

// ReadPath returns the path at which o is read.
func (o Object) ReadPath() string { return cmp.Or(o.Traits.Read, string(o.ID)) }

// WritePath returns the path to which o is written.
func (o Object) WritePath() string { return cmp.Or(o.Traits.Write, string(o.ID)) }

// Within returns o in a namespace.
func (o Object) Within(ns string) Object {
	if ns == "" {
		return o
	}
	o.Namespace, o.ID = ns, ID(ns)+o.ID
	if o.Mount != "" {
		o.Mount = ID(ns) + o.Mount
	}
	for _, path := range []*string{&o.Traits.Read, &o.Traits.Write, &o.Traits.Rotate} {
		if *path != "" {
			*path = ns + *path
		}
	}
	if o.Traits.Split != nil {
		inner := *o.Traits.Split
		inner.Update, o.Traits.Split = ns+inner.Update, &inner
	}
	return o
}

// CanonicalID returns an ID that is the same for all spellings of o's ID.
func (o Object) CanonicalID() ID {
	if o.Folded == 0 {
		return o.ID.canonical()
	}
	end := len(o.ID) - o.tail
	start := end - o.Folded
	return o.ID[:start] + ID(strings.ToLower(string(o.ID[start:end]))) + o.ID[end:]
}

// Owned reports whether o is recorded in the ledger, so that it can be pruned later: values,
// requests and what is created once are not.
func (o Object) Owned() bool {
	return !o.IsRequest() && o.Stage != StageValues && !o.Traits.Once
}

// Checked reports whether Vault can be asked about o's fields. Those of objects with a table in lang
// were checked when the seed was read, but which settings a mount has depends on the server. A
// database connection accepts what its plugin accepts.
func (o Object) Checked() bool {
	switch o.Stage {
	case StageMounts:
		return len(o.CheckedFields()) > 0
	case StageConfig, StageRoles, StageQuotas, StageNamespaces:
		return o.Endpoint != "database/config"
	}
	return o.IsRequest() && !o.Traits.Deletes
}

// Before reports whether o is created before other.
func (o *Object) Before(other *Object) bool {
	return o.Stage < other.Stage || o.Stage == other.Stage && o.Order < other.Order
}

// Same reports whether shown, as Vault returns it, is the value want of a field of o.
func (o Object) Same(field string, want, shown any) bool {
	if o.Traits.Exact {
		return value.Identical(value.Reveal(want), shown)
	}
	if text, isText := shown.(string); isText && want == text { // most are shown as written
		return true
	}
	return value.Same(field, want, shown)
}

// Surplus returns the names of the fields that Vault shows and a Whole object does not have.
func (o Object) Surplus(shown map[string]any) (names []string) {
	if !o.Traits.Whole {
		return nil
	}
	for name := range shown {
		if _, ours := o.Data[name]; !ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Namespaces returns the IDs of the namespaces that o is in, except the root.
func (o Object) Namespaces() []ID {
	var found []ID
	for i, char := range o.Namespace {
		if char == '/' {
			found = append(found, NamespaceID(o.Namespace[:i]))
		}
	}
	return found
}

// NamespacePath returns the path of the namespace that o is, without slashes at its ends; empty if
// it is none.
func (o Object) NamespacePath() string {
	if o.Stage != StageNamespaces {
		return ""
	}
	return o.Namespace + strings.TrimPrefix(string(o.ID), o.Namespace+namespaces)
}

// MountComes reports whether o's mount comes with its namespace: every one has the auth method of
// tokens from the start.
func (o Object) MountComes() bool { return o.Mount == ID(o.Namespace+"sys/auth/token") }
