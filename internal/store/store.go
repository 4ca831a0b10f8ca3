// Package store defines the records of vault-bootstrap, the keys, the checkpoint and the Lease that
// says who may act, and what a store of them has to do.
//
// Every write is a compare-and-swap against the revision that was read. On top of that a session
// (fencing) has an epoch, because a Lease alone cannot stop a holder that was suspended and wakes
// up late. Kubernetes objects (kubestore) and files (filestore) implement the same interface; one
// conformance test (storetest) holds both to it. The package must not know Vault or the states: it
// stores names, not meanings.
package store

import (
	"context"
	"errors"
	"time"
)

// ErrConflict means that the record changed since it was read. It is transient:
// read again, decide again.
var ErrConflict = errors.New("the record was changed by somebody else")

// ErrLeaseLost is the cause of the cancellation of a held Lease's context.
var ErrLeaseLost = errors.New("the lease was lost")

// Revision identifies the version of a record that was read; only equality means
// anything. The empty Revision means that there is no such record. An object that
// exists but was never written to (Kubernetes) reads as a zero record with a
// Revision, so that the compare-and-swap holds for the first write too.
type Revision string

// Location names the records for people.
type Location struct {
	Keys, Checkpoint, Lease string
}

// LeaseOptions are the durations of a Lease, with their meaning in client-go.
type LeaseOptions struct {
	// Holder is this process's identity, unique per process.
	Holder string
	// Duration is how long others wait after the last renewal they observed.
	Duration time.Duration
	// RenewDeadline is how long the holder tries to renew before it gives up.
	RenewDeadline time.Duration
	// RetryPeriod is the wait between tries.
	RetryPeriod time.Duration
	// Waiting, if not nil, is called once per holder that we wait for.
	Waiting func(holder string)
}

// Mirror is the part of the checkpoint that the Lease shows to readers without access to it.
type Mirror struct {
	State      string
	Since      time.Time
	SeedDigest string
}

// Held is an acquired Lease.
type Held interface {
	// Context is cancelled with a cause that is ErrLeaseLost when the Lease is lost, and when the
	// context given to Acquire ends. In the second case the Lease is still held, and renewed, until
	// Release, which protects work that must not be cut off.
	Context() context.Context
	// Alive returns nil while this process may count on the Lease, and otherwise
	// an error that is ErrLeaseLost. It is computed from the clock (or the lock)
	// at the call, so that a process that was suspended knows before its timers
	// have run and Context is cancelled: ask it before each request that matters.
	Alive() error
	// Show mirrors the checkpoint onto the Lease. Best effort by nature: the
	// checkpoint is what counts.
	Show(ctx context.Context, mirror Mirror) error
	// Release gives the Lease back, so that others need not wait until it expires. It is safe to
	// call twice.
	Release(ctx context.Context) error
}

// Store keeps the records.
type Store interface {
	// Location says where the records are.
	Location() Location
	// Preflight checks, without changing any record, that everything the run will need from the
	// store is permitted and possible, and names what is not.
	//
	// If there are recipients and the keys record is not encrypted yet, it makes a data key, has
	// each recipient wrap it, and unwraps it again.
	//
	// If no keys are stored and none can be on their way, it also refuses what Concerns reports. If
	// a record is immutable and all else is well, it returns ErrImmutable.
	Preflight(ctx context.Context) error
	// Concerns lists what endangers the records although they can be read: they are being deleted,
	// have an owner, or cannot be written. It judges what reading, writing and Preflight have last
	// seen, and reads what they have not.
	Concerns(ctx context.Context) ([]Concern, error)
	// Rehearse proves, changing nothing, that SaveKeys would store exactly these keys at
	// this revision: it fails with ErrConflict as that would, and with RecordFull if
	// they are too large.
	Rehearse(ctx context.Context, keys Keys, revision Revision) error
	// Acquire waits for the Lease until ctx ends. If ctx ends while somebody else holds it, it
	// fails with a fault.Busy error that names the holder. It fails at once if the store cannot be
	// reached at all.
	Acquire(ctx context.Context, options LeaseOptions) (Held, error)
	// Lead waits for the lead among the watches of the same records, until ctx ends. It is a
	// separate Lease, held for as long as the watch runs, and does not say who may act: the Lease
	// of the records does.
	Lead(ctx context.Context, options LeaseOptions) (Held, error)
	// LeaseMirror returns what the Lease shows; the zero Mirror when there is none.
	LeaseMirror(ctx context.Context) (Mirror, error)
	// Keys returns the keys record, or a zero one if there is none yet. A record that cannot be
	// decoded is a terminal error, never a zero record. One that is encrypted is opened, which calls
	// a recipient unless this process knows the data key; it fails with ErrLocked if none opens it.
	Keys(ctx context.Context) (Keys, Revision, error)
	// Outline returns the keys record without opening it, and calls no recipient. If it is
	// encrypted, its secrets are withheld: see Keys.Locked.
	Outline(ctx context.Context) (Keys, Revision, error)
	// SaveKeys writes the keys record if it still is at revision, else fails with ErrConflict. It
	// encrypts it as its Sealing says, which this store must have returned, and calls no recipient.
	// A record without a Sealing is encrypted as this process last saw it, or as Preflight has
	// prepared it; otherwise it is written in clear.
	SaveKeys(ctx context.Context, keys Keys, revision Revision) (Revision, error)
	// Checkpoint returns the checkpoint, or a zero one, as Keys does.
	Checkpoint(ctx context.Context) (Checkpoint, Revision, error)
	// SaveCheckpoint writes the checkpoint if it still is at revision, else fails with ErrConflict.
	SaveCheckpoint(ctx context.Context, checkpoint Checkpoint, revision Revision) (Revision, error)
}
