package fsm

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Replica is one Vault server.
type Replica struct {
	Address string
	Health  Health
	// ClusterID is empty while the replica is sealed.
	ClusterID string
	// Product is what the server runs.
	Product product.Product
	// Answer says why there is no Health.
	Answer string
	// OnPurpose is whether a sealed replica was unsealed before, and its server was not restarted
	// since: then somebody has sealed it. It is set only if seals are to be respected.
	OnPurpose bool
	// InMemory is whether the server keeps its data in memory, as 'vault server -dev' does. It is set
	// only where nothing of ours is on record.
	InMemory bool
}

// Health is what a replica reports on sys/health.
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

// Initialized reports whether the replica is initialized.
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

// Replicas are the servers of one Vault, as one look has found them.
type Replicas []Replica

func (all Replicas) with(health func(Health) bool) Replicas {
	var found Replicas
	for _, replica := range all {
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
func (all Replicas) Active() (Replica, bool) {
	active := all.with(is(Active))
	if len(active) == 0 {
		return Replica{}, false
	}
	return active[0], true
}

// open reports whether a part of the cluster is unsealed.
func (all Replicas) open() bool { return len(all.with(Health.Unsealed)) > 0 }

// ToUnseal returns the sealed replicas, except those that are to stay sealed.
func (all Replicas) ToUnseal() Replicas {
	return slices.DeleteFunc(all.with(is(Sealed)), func(r Replica) bool { return r.OnPurpose })
}

// SealedOnPurpose returns the replicas that somebody has sealed and that are to stay sealed.
func (all Replicas) SealedOnPurpose() Replicas {
	return slices.DeleteFunc(all.with(is(Sealed)), func(r Replica) bool { return !r.OnPurpose })
}

// ToJoin returns the replicas that are empty or do not know the active node, if there is one.
func (all Replicas) ToJoin() Replicas {
	if _, found := all.Active(); !found {
		return nil
	}
	return all.with(func(h Health) bool { return h == NotInitialized || h == StandbyCutOff })
}

// Pending returns the replicas of a running cluster that are not yet part of it: sealed, still
// joining, cut off, or silent. Nobody waits for those that somebody has sealed.
func (all Replicas) Pending() Replicas {
	pending := all.with(func(h Health) bool {
		return h == Sealed || h == NotInitialized || h == StandbyCutOff || h == NoAnswer
	})
	return slices.DeleteFunc(pending, func(r Replica) bool { return r.OnPurpose })
}

// Lost returns the replicas that a person has removed from the raft cluster.
func (all Replicas) Lost() Replicas { return all.with(is(Removed)) }

// LeastState returns the least state that follows from health alone, without any token:
// uninitialized, initialized or unsealed. No server reports whether it is seeded or hardened. It is
// empty if no replica answers.
func (all Replicas) LeastState() State {
	least := State("")
	for _, replica := range all {
		switch {
		case replica.Health == Active || replica.Health == Standby || replica.Health == PerformanceStandby:
			return Unsealed
		case replica.Health.Initialized():
			least = Initialized
		case replica.Health == NotInitialized && least == "":
			least = Uninitialized
		}
	}
	return least
}
