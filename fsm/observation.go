package fsm

import (
	"slices"
	"time"
)

// Observation is what one look at the world has shown. The probe fills it
// without changing anything; Locate judges it.
type Observation struct {
	// Replicas holds one entry for every address, in the order given.
	Replicas []Replica
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
	// Maker names the process that made the open attempt, and Grace is how long it may
	// still bring Vault's answer; 0 if that process is known to be gone, or is this one.
	Maker string
	Grace time.Duration
	// Custodians says that people, and not we, hold the shares that open a sealed replica;
	// nil if we hold them.
	Custodians error
	// Remembered is the state on record; empty if there is none.
	Remembered State
	// Findings are what acts of the cycle before have learned.
	Findings []Finding
}

// Replica is one Vault server.
type Replica struct {
	Address string
	Health  Health
	// ClusterID is empty while the replica is sealed.
	ClusterID string
	// Answer says why there is no Health, in words.
	Answer string
	// OnPurpose is whether a sealed replica was open before in the same life of its
	// server: then somebody has sealed it. It is set only if that is to be respected.
	OnPurpose bool
}

// Health is what a replica says of itself on sys/health.
type Health string

// The kinds of health, with the status code of sys/health that stands for each.
const (
	NoAnswer           Health = "no answer"
	Active             Health = "active"              // 200
	Standby            Health = "standby"             // 429
	DRSecondary        Health = "DR secondary"        // 472, Enterprise
	PerformanceStandby Health = "performance standby" // 473, Enterprise
	StandbyCutOff      Health = "standby, cut off"    // 474: cannot reach its active node; or 429, and it knows none
	NotInitialized     Health = "uninitialized"       // 501
	Sealed             Health = "sealed"              // 503
	Removed            Health = "removed"             // 530: removed from its raft cluster
)

// Initialized reports whether the replica says that it has been initialized.
func (h Health) Initialized() bool { return h != NoAnswer && h != NotInitialized }

// Unsealed reports whether the replica is open, active or not.
func (h Health) Unsealed() bool {
	switch h {
	case Active, Standby, DRSecondary, PerformanceStandby, StandbyCutOff:
		return true
	default:
		return false
	}
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

// Finding is something that only an attempt to act could show. An act returns it
// as its error; the next cycle's Locate judges it together with a fresh look.
type Finding struct {
	Kind FindingKind
	// Replica is the address of the replica that answered.
	Replica string
	// Err is the answer.
	Err error
}

// FindingKind is the kind of a finding.
type FindingKind string

// The kinds of finding.
const (
	// StorageHasState: sys/init was refused because the storage is not empty.
	StorageHasState FindingKind = "storage has state"
	// InitRefused: Vault itself has refused sys/init, for what was asked of it.
	InitRefused FindingKind = "initialization refused"
	// SharesRefused: the key shares do not open this Vault.
	SharesRefused FindingKind = "shares refused"
	// AuditBlocks: unsealing fails because an audit device cannot be set up.
	AuditBlocks FindingKind = "audit blocks"
)

// Error says what was found.
func (f *Finding) Error() string {
	return string(f.Kind) + " at " + f.Replica + ": " + f.Err.Error()
}

// Unwrap returns the answer.
func (f *Finding) Unwrap() error { return f.Err }

func (o Observation) with(health func(Health) bool) []Replica {
	var found []Replica
	for _, replica := range o.Replicas {
		if health(replica.Health) {
			found = append(found, replica)
		}
	}
	return found
}

func is(wanted Health) func(Health) bool {
	return func(h Health) bool { return h == wanted }
}

// Active returns the active node.
func (o Observation) Active() (Replica, bool) {
	active := o.with(is(Active))
	if len(active) == 0 {
		return Replica{}, false
	}
	return active[0], true
}

// open reports whether a part of the cluster is unsealed.
func (o Observation) open() bool { return len(o.with(Health.Unsealed)) > 0 }

// ToUnseal returns the replicas that are sealed, but for those that are to stay so.
func (o Observation) ToUnseal() []Replica {
	return slices.DeleteFunc(o.with(is(Sealed)), func(r Replica) bool { return r.OnPurpose })
}

// SealedOnPurpose returns the replicas that somebody has sealed, and that are to stay
// so.
func (o Observation) SealedOnPurpose() []Replica {
	return slices.DeleteFunc(o.with(is(Sealed)), func(r Replica) bool { return !r.OnPurpose })
}

// ToJoin returns the replicas beside an active node that are empty, or do not know of
// it.
func (o Observation) ToJoin() []Replica {
	if _, found := o.Active(); !found {
		return nil
	}
	return o.with(func(h Health) bool { return h == NotInitialized || h == StandbyCutOff })
}

// Tends reports whether replicas want to be joined or unsealed by a run to goal, in a
// cluster that is in state.
func (o Observation) Tends(state, goal State) bool {
	if state.Before(Unsealed) || goal.Before(Unsealed) {
		return false
	}
	return len(o.ToJoin()) > 0 || len(o.ToUnseal()) > 0 && o.Custodians == nil && !o.RecoveryKeys
}

// Pending returns the replicas of a running cluster that are not yet a part of
// it: sealed, still joining, cut off, or silent. Those that somebody has sealed are
// not waited for.
func (o Observation) Pending() []Replica {
	pending := o.with(func(h Health) bool {
		return h == Sealed || h == NotInitialized || h == StandbyCutOff || h == NoAnswer
	})
	return slices.DeleteFunc(pending, func(r Replica) bool { return r.OnPurpose })
}

// Lost returns the replicas that a person has removed from the raft cluster.
func (o Observation) Lost() []Replica { return o.with(is(Removed)) }
