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
	// ClusterID is the cluster ID stored with the keys or, if these are elsewhere or missing, with
	// the checkpoint; empty if not known yet.
	ClusterID string
	// Root is the status of the stored root token.
	Root RootStatus
	// Login is the status of the login that later runs use.
	Login LoginStatus
	// LoginAnswer is what Vault answered to a login that failed.
	LoginAnswer string
	// Trouble is why an active node could not be examined, or why the stored keys could not be opened;
	// nil if neither is so. An active cluster is unsealed then, and no more is known. With MissingKeys
	// it is the error that says which record is gone.
	Trouble error
	// Plan is whether the seed is applied.
	Plan PlanStatus
	// Controls is whether the required controls hold.
	Controls ControlStatus
	// UninitializedFor is how long this process has seen all replicas answer 'uninitialized'
	// without a gap, while no attempt to initialize began.
	UninitializedFor time.Duration
	// Maker is the process that made the open attempt.
	Maker Maker
	// Custodians is the error that operators, and not we, hold the shares that open a sealed
	// replica; nil if we hold them.
	Custodians error
	// Remembered is the state on record; empty if there is none.
	Remembered State
	// Symptoms are what the acts of the previous cycle have learned.
	Symptoms []Symptom
}

// Maker is a process that has asked Vault to initialize.
type Maker struct {
	// Name names it for people.
	Name string
	// Grace is how long it may still deliver the init response; 0 if it is known to have ended, or
	// is this process.
	Grace time.Duration
}

// KeyStatus is what the keys record says.
type KeyStatus int

// The kinds of key status.
const (
	// NoKeys: no attempt at initializing was ever recorded.
	NoKeys KeyStatus = iota
	// OpenIntent: an attempt was started, and its answer is stored nowhere.
	OpenIntent
	// SpooledAnswer: an attempt was started, and its answer is spooled but not stored yet, or stored
	// but not opened yet.
	SpooledAnswer
	// StoredKeys: the keys are stored.
	StoredKeys
	// NoShares: as StoredKeys, but the server was initialized without recovery keys, so that no root
	// token can be generated.
	NoShares
	// KeysElsewhere: the keys are not ours. Somebody else initializes Vault and unseals it.
	KeysElsewhere
	// MissingKeys: the keys record holds nothing, and the checkpoint beside it knows a Vault whose
	// keys were stored.
	MissingKeys
)

// RootStatus is the status of the stored root token.
type RootStatus int

// The kinds of root status.
const (
	// NoRoot: none is stored.
	NoRoot RootStatus = iota
	// LiveRoot: it is stored, or a person has given a token for this run, and Vault accepts it.
	LiveRoot
	// DeadRoot: it is stored, and Vault refuses it.
	DeadRoot
)

// LoginStatus is the status of the login that later runs use.
type LoginStatus int

// The kinds of login status.
const (
	// LoginNotTried: nothing was unsealed to log in to, or a root token made it unnecessary.
	LoginNotTried LoginStatus = iota
	// LoginWorks: Vault gave us a token.
	LoginWorks
	// LoginRefused: Vault refused it, and would refuse it again.
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
	// PlanEmpty: Vault matches the seed.
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
	// ControlsUnconfirmed: they hold, and since they were last found to do so, Vault was initialized or
	// root was ended.
	ControlsUnconfirmed
	// ControlsHold: all required controls hold.
	ControlsHold
)

// Symptom is an answer of Vault that only an attempt to act can bring out. An act returns it as its
// error, and the next cycle's Locate judges it together with a fresh look.
type Symptom struct {
	Kind SymptomKind
	// Replica is the address of the replica that answered.
	Replica string
	// Err is the answer.
	Err error
}

// SymptomKind says what a symptom shows.
type SymptomKind string

// The kinds of symptom.
const (
	// StorageHasState: sys/init was refused because the storage is not empty.
	StorageHasState SymptomKind = "storage has state"
	// InitRefused: Vault itself refused sys/init because of what it was asked for.
	InitRefused SymptomKind = "initialization refused"
	// SharesRefused: the key shares do not open this Vault.
	SharesRefused SymptomKind = "shares refused"
	// AuditBlocks: unsealing fails because an audit device cannot be set up.
	AuditBlocks SymptomKind = "audit blocks"
)

// Error returns the kind, the replica and the answer.
func (s *Symptom) Error() string {
	return string(s.Kind) + " at " + s.Replica + ": " + s.Err.Error()
}

// Unwrap returns the answer.
func (s *Symptom) Unwrap() error { return s.Err }

// Tends reports whether a run to goal has replicas to join or to unseal, in a cluster that is in
// state.
func (o Observation) Tends(state, goal State) bool {
	if state.Before(Unsealed) || goal.Before(Unsealed) {
		return false
	}
	return len(o.Replicas.ToJoin()) > 0 || o.CanUnseal()
}

// CanUnseal reports whether our keys can unseal a sealed replica: not if operators hold the shares,
// not if the seal does it, and not if we have no keys.
func (o Observation) CanUnseal() bool {
	return len(o.Replicas.ToUnseal()) > 0 && o.Custodians == nil && !o.RecoveryKeys && o.Keys != KeysElsewhere && o.Keys != MissingKeys
}
