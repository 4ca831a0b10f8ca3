package states

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// Observer looks at Vault and at the records. That it cannot change either is a fact that
// the compiler holds: none of its fields has a method that writes, the login apart, which
// makes a token of its own. TestObserverCannotWrite lists all methods that it can reach.
type Observer struct {
	*Setting
	// Servers are Vault's.
	Servers Servers
	// Records are read at each look.
	Records RecordReader
	// Spools are where Vault's answer to sys/init may be kept until it is stored.
	Spools []AnswerSource
	// Pods are the pods of the replicas; nil outside Kubernetes.
	Pods PodReader
	// RespectSeal is whether a replica that somebody has sealed stays so. It needs Pods.
	RespectSeal bool
	// WaitForUnseal is whether to wait for custodians to unseal, instead of ending.
	WaitForUnseal bool
	// Holder is this process's identity, Pod the name of its Pod and Process its name on
	// this machine; both are empty where there is none.
	Holder, Pod, Process string
	// Digest returns the digest of the seed, for the checkpoint; nil where there is no seed.
	// It is asked for only when a state is entered, since it takes a while for a large one.
	Digest func() string
	// Prune says what the seed lets us delete. It is set before Declare.
	Prune object.Prune
	// Rules say which controls are required, fixed and accepted.
	Rules harden.Rules
	// Around, if not nil, looks at the Kubernetes cluster around Vault.
	Around func(ctx context.Context) *harden.Kubernetes

	access opener

	objects  []object.Object // all that Vault is to hold
	declared []object.Object // the part of it that our own login may change
	needs    []policy.Grant

	recall     *recall              // of the walk that is under way; nil outside one
	emptySince time.Time            // since when all replicas have answered 'uninitialized'
	attempts   map[string]time.Time // when each attempt on record was seen first
	searched   map[string]bool      // attempts whose pods hold no answer
	strays     map[string]bool      // attempts that are not on record, of answers in a spool
	// refusedAttempt is the ID of the attempt of this process that Vault has refused latest.
	refusedAttempt string
	lives          lives           // of the servers behind the replicas
	tried          map[string]bool // the controls that this run has tried to fix
}

// RecordReader reads the records.
type RecordReader interface {
	Keys(ctx context.Context) (store.Keys, error)
	Checkpoint(ctx context.Context) (store.Checkpoint, error)
}

// AnswerSource is a place in which a spooled answer may be found.
type AnswerSource interface {
	Name() string
	Read(ctx context.Context, of spool.Origin) ([][]byte, error)
}

// PodReader looks at the pods that Vault's servers run in.
type PodReader interface {
	// Life returns the life that the server at address is in; workload.ErrNoPod if
	// that cannot be known.
	Life(ctx context.Context, address string) (workload.Life, error)
	// Over reports whether the pod called name has ended, or is gone.
	Over(ctx context.Context, name string) (bool, error)
}

// NewObserver returns an Observer that logs in by access.
func NewObserver(access *Access, servers Servers, records RecordReader) *Observer {
	access.Servers = servers
	return &Observer{Setting: access.Setting, Servers: servers, Records: records, access: access}
}
