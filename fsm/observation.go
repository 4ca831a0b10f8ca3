package fsm

import "time"

// Observation is what one look at the world has shown. The probe fills it
// without changing anything; Locate judges it.
type Observation struct {
	// Replicas holds one entry for every address, in the order given.
	Replicas Replicas
	// Keys is what the keys record says.
	Keys KeyStatus
	// RecoveryKeys is whether the stored keys are recovery keys, which unseal nothing.
	RecoveryKeys bool
	// ClusterID is the cluster ID stored with the keys; empty if not known yet.
	ClusterID string
	// Root is what became of the stored root token.
	Root RootStatus
	// Login is what became of the login that later runs use.
	Login LoginStatus
	// LoginAnswer is what Vault said to a login that failed.
	LoginAnswer string
	// Trouble is what kept the probe from looking inside an active node; nil if
	// nothing did. The cluster is unsealed then, and no more is known of it.
	Trouble error
	// Plan is whether the seed is applied.
	Plan PlanStatus
	// Controls is whether the required controls hold.
	Controls ControlStatus
	// UninitializedFor is how long all replicas have answered 'uninitialized' without a
	// gap, and no attempt to initialize was begun, as far as this process has seen.
	UninitializedFor time.Duration
	// Maker is the process that made the open attempt.
	Maker Maker
	// Custodians says that people, and not we, hold the shares that open a sealed replica;
	// nil if we hold them.
	Custodians error
	// Remembered is the state on record; empty if there is none.
	Remembered State
	// Symptoms are what acts of the cycle before have learned.
	Symptoms []Symptom
}

// Maker is a process that has asked Vault to initialize.
type Maker struct {
	// Name names it to people.
	Name string
	// Grace is how long it may still bring Vault's answer; 0 if it is known to be gone, or is
	// this one.
	Grace time.Duration
}

// KeyStatus is what the keys record says.
type KeyStatus int

// The kinds of key status.
const (
	// NoKeys: no attempt at initializing was ever recorded.
	NoKeys KeyStatus = iota
	// OpenIntent: an attempt was begun, its answer is stored nowhere.
	OpenIntent
	// SpooledAnswer: an attempt was begun, and its answer is spooled and not stored yet.
	SpooledAnswer
	// StoredKeys: the keys are there.
	StoredKeys
)

// RootStatus is what became of the stored root token.
type RootStatus int

// The kinds of root status.
const (
	// NoRoot: none is stored.
	NoRoot RootStatus = iota
	// LiveRoot: it is stored, and Vault takes it.
	LiveRoot
	// DeadRoot: it is stored, and Vault refuses it.
	DeadRoot
)

// LoginStatus is what became of the login that later runs use.
type LoginStatus int

// The kinds of login status.
const (
	// LoginNotTried: nothing was open to log in to, or root made it needless.
	LoginNotTried LoginStatus = iota
	// LoginWorks: Vault gave us a token.
	LoginWorks
	// LoginRefused: Vault refused for good.
	LoginRefused
)

// PlanStatus is whether the seed is applied.
type PlanStatus int

// The kinds of plan status.
const (
	// PlanUnknown: it could not be read.
	PlanUnknown PlanStatus = iota
	// PlanChanges: there is something to apply.
	PlanChanges
	// PlanEmpty: Vault is as the seed says.
	PlanEmpty
)

// ControlStatus is whether the required controls hold.
type ControlStatus int

// The kinds of control status.
const (
	// ControlsUnknown: not checked.
	ControlsUnknown ControlStatus = iota
	// ControlsFail: at least one required control does not hold.
	ControlsFail
	// ControlsHold: all required controls hold.
	ControlsHold
)

// Symptom is something that only an attempt to act could show. An act returns it
// as its error; the next cycle's Locate judges it together with a fresh look.
type Symptom struct {
	Kind SymptomKind
	// Replica is the address of the replica that answered.
	Replica string
	// Err is the answer.
	Err error
}

// SymptomKind is the kind of a symptom.
type SymptomKind string

// The kinds of symptom.
const (
	// StorageHasState: sys/init was refused because the storage is not empty.
	StorageHasState SymptomKind = "storage has state"
	// InitRefused: Vault itself has refused sys/init, for what was asked of it.
	InitRefused SymptomKind = "initialization refused"
	// SharesRefused: the key shares do not open this Vault.
	SharesRefused SymptomKind = "shares refused"
	// AuditBlocks: unsealing fails because an audit device cannot be set up.
	AuditBlocks SymptomKind = "audit blocks"
)

// Error says what was found.
func (s *Symptom) Error() string {
	return string(s.Kind) + " at " + s.Replica + ": " + s.Err.Error()
}

// Unwrap returns the answer.
func (s *Symptom) Unwrap() error { return s.Err }

// Tends reports whether replicas want to be joined or unsealed by a run to goal, in a
// cluster that is in state.
func (o Observation) Tends(state, goal State) bool {
	if state.Before(Unsealed) || goal.Before(Unsealed) {
		return false
	}
	return len(o.Replicas.ToJoin()) > 0 || o.CanUnseal()
}

// CanUnseal reports whether replicas are sealed that our keys open: not those of people, and
// not where the seal does it.
func (o Observation) CanUnseal() bool {
	return len(o.Replicas.ToUnseal()) > 0 && o.Custodians == nil && !o.RecoveryKeys
}
