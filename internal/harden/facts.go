package harden

import (
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Fact is something that was read, or the reason why it was not. The zero Fact was never read.
type Fact[T any] struct {
	value T
	known bool
	why   string
}

// Known returns a fact.
func Known[T any](value T) Fact[T] { return Fact[T]{value: value, known: true} }

// NotKnown returns the lack of a fact, and why.
func NotKnown[T any](why string) Fact[T] { return Fact[T]{why: why} }

// Get returns the value, and whether it is known.
func (f Fact[T]) Get() (T, bool) { return f.value, f.known }

// Why says why the fact is not known.
func (f Fact[T]) Why() string {
	if f.why == "" {
		return "it was not read"
	}
	return f.why
}

// Facts are what the controls judge.
type Facts struct {
	// Now is when they were gathered.
	Now time.Time
	// Product is what the active node runs. Endpoints and remedies depend on it.
	Product product.Product
	// OwnPolicies are the names of the program's own policies.
	OwnPolicies []string
	// Namespace is the namespace that is judged, without slashes at its ends; empty for the root
	// namespace, and with it the server.
	Namespace string
	// Declared is what the seed declares; nil if there is no seed.
	Declared Declarations
	// Inner are the namespaces in it, at any depth.
	Inner []Inner
	// Keyless is whether the keys of Vault are not ours, so that nobody gives us a root token.
	Keyless bool
	// RootStored is whether a root token is in our keys record, and Login whether the login of
	// later runs works.
	RootStored, Login Fact[bool]
	// Record is our keys record.
	Record Fact[Record]

	Audit         Fact[[]AuditDevice]
	Auth, Secrets Fact[[]Mount]
	Server        Fact[Server]
	CORS          Fact[CORS]
	// Headers are the UI's own headers.
	Headers   Fact[[]Header]
	Policies  Fact[[]Policy]
	Passwords Fact[[]PasswordPolicy]
	Quotas    Fact[[]Quota]
	// GenerateRoot and Rekey are whether one is in progress.
	GenerateRoot, Rekey Fact[bool]
	Key                 Fact[Key]
	Seal                Fact[Seal]
	Raft                Fact[Raft]
	// Loggers are the levels of the active node's loggers, by name.
	Loggers  Fact[map[string]string]
	Replicas Fact[[]Replica]
	Roles    Fact[[]Role]
	Tokens   Fact[[]Token]

	// Kubernetes is nil where there is none.
	Kubernetes *Kubernetes
}

// AuditDevice is an enabled audit device.
type AuditDevice struct {
	Path, Type string
	// Raw is whether it writes secrets in plain text.
	Raw      bool
	Declared AsDeclared
}

// Mount is an auth method or a secrets engine.
type Mount struct {
	// Path has no slash at its end.
	Path, Type string
	// DefaultTTL and MaxTTL are its own; 0 means the server's.
	DefaultTTL, MaxTTL time.Duration
	// Listed is whether it is shown to those who have not logged in.
	Listed bool
	// NoLockout is whether locking users out is turned off.
	NoLockout bool
	Declared  AsDeclared
}

// Server is the active node's configuration, as far as the API shows it.
type Server struct {
	Listeners []Listener
	// RawStorage and Introspection are the endpoints that bypass policies.
	RawStorage, Introspection, UI, DisableMlock bool
	// DefaultTTL and MaxTTL are 0 where the configuration leaves them to Vault.
	DefaultTTL, MaxTTL time.Duration
}

// Listener is where the active node listens.
type Listener struct {
	Type, Address, MinTLS string
	NoTLS                 bool
}

// CORS is which sites may call Vault from browsers.
type CORS struct {
	Enabled  bool
	Origins  []string
	Declared AsDeclared
}

// Header is a header that the UI sends.
type Header struct {
	Name, Value string
	Declared    AsDeclared
}

// Policy is an ACL policy.
type Policy struct {
	Name string
	// Rules are its paths. Broken says why it could not be parsed; then there are none.
	Rules    []Rule
	Broken   string
	Declared AsDeclared
}

// Rule is a path of a policy.
type Rule struct {
	Path         string
	Capabilities []string
}

// PasswordPolicy says what generated passwords look like.
type PasswordPolicy struct {
	Name     string
	Length   int
	Declared AsDeclared
}

// Quota is a limit on requests.
type Quota struct {
	Name string
	// Path is what it applies to; empty means everything.
	Path string
}

// Key is the key that encrypts the storage.
type Key struct {
	Installed time.Time
	// Rotates is whether Vault rotates it automatically; Interval is how often, or 0 if only after
	// a number of operations.
	Rotates  bool
	Interval time.Duration
}

// Seal is how Vault is sealed, and where its data is.
type Seal struct {
	Type, Storage string
}

// Raft is the state of integrated storage.
type Raft struct {
	Healthy bool
	Voters  int
	// Tolerance is how many servers may fail.
	Tolerance int
	// Dead are servers that autopilot does not find alive or healthy.
	Dead []string
}

// Replica is one server as it appears to clients without a token.
type Replica struct {
	Address string
	// Trouble says why the rest is not known.
	Trouble string
	Product product.Product
	// Skew is the least that its clock differs from ours.
	Skew time.Duration
	// TLS is whether it was reached over TLS; Expires is when its certificate expires.
	TLS     bool
	Expires time.Time
	// Open are the endpoints that answer without a token and should not.
	Open []string
}

// Role is a role of an auth method that lets in more than it should.
type Role struct {
	// Path is the role's, without the prefix auth/.
	Path string
	// Open says what is left open; empty if nothing is.
	Open     string
	Declared AsDeclared
}

// Token is a live token.
type Token struct {
	Accessor, Path, DisplayName string
	Policies                    []string
	Orphan, Periodic            bool
	// TTL is 0 for a token that never expires.
	TTL time.Duration
}

// Kubernetes is what the cluster around Vault shows.
type Kubernetes struct {
	// Readers are who else may read the keys Secret; Asked is how many were asked about.
	Readers Fact[[]string]
	Asked   int
	// Owners are the owners of the keys Secret, as Kind/Name.
	Owners Fact[[]string]
	// Dangers are what endangers the records, a sentence each, except for owners of the keys
	// Secret.
	Dangers Fact[[]string]
	// Pods are the weaknesses of Vault's pods, as 'pod: weakness'. PodsSeen is how many pods there
	// are.
	Pods     Fact[[]string]
	PodsSeen int
	// Uncovered are the Vault pods that no NetworkPolicy for incoming traffic selects.
	Uncovered Fact[[]string]
}
