package states

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Replica is one Vault server, before anybody has logged in.
type Replica interface {
	Address() string
	Health(ctx context.Context) (vault.Health, error)
	SealStatus(ctx context.Context) (vault.SealStatus, error)
	Unseal(ctx context.Context, share secret.Value) (vault.SealStatus, error)
	ResetUnseal(ctx context.Context) (vault.SealStatus, error)
	Initialize(ctx context.Context, request vault.InitRequest) (vault.InitAnswer, error)
	Join(ctx context.Context, leader string) error
	Leader(ctx context.Context) (string, error)
	Glimpse(ctx context.Context, path string) (vault.Glimpse, error)
	Rekey(ctx context.Context, recovery bool, token secret.Value) (vault.RekeyStatus, error)
	BeginRekey(ctx context.Context, recovery bool, token secret.Value, request vault.RekeyRequest) (vault.RekeyStatus, error)
	GiveRekey(ctx context.Context, recovery bool, token secret.Value, nonce string, share secret.Value) (vault.RekeyStatus, error)
	CancelRekey(ctx context.Context, recovery bool, token secret.Value, nonce string) error
	VerifyRekey(ctx context.Context, recovery bool, token secret.Value, nonce string, share secret.Value) (vault.RekeyStatus, error)
	RestartVerification(ctx context.Context, recovery bool, token secret.Value, nonce string) error
	RootAttempt(ctx context.Context, token secret.Value) (vault.RootAttempt, error)
	BeginRoot(ctx context.Context, token secret.Value, publicKey string) (vault.RootAttempt, error)
	GiveRoot(ctx context.Context, token secret.Value, nonce string, share secret.Value) (vault.RootAttempt, error)
	CancelRoot(ctx context.Context, token secret.Value) error
}

// Doorman opens sessions at a replica.
type Doorman interface {
	Session(address string, token secret.Value) (*vault.Session, error)
	Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*vault.Session, error)
	LoginBy(ctx context.Context, address string, method vault.Method) (*vault.Session, error)
}

// Records are the records of one holder, fenced by its epoch.
type Records interface {
	Epoch() int64
	Keys(ctx context.Context) (store.Keys, error)
	UpdateKeys(ctx context.Context, change func(*store.Keys) error) error
	// Deliver is UpdateKeys without the fence, for keys that exist nowhere else.
	Deliver(ctx context.Context, change func(*store.Keys) error) error
	Checkpoint(ctx context.Context) (store.Checkpoint, error)
	UpdateCheckpoint(ctx context.Context, change func(*store.Checkpoint) error) error
	Show(ctx context.Context, mirror store.Mirror) error
}

// KeySplit says how to split the key of a new Vault.
type KeySplit struct {
	Shares, Threshold int
	// Custodians are the operators who each get one share that only they can open;
	// none if we are to hold the shares. Their order is that of the shares.
	Custodians []pgp.Public
}

// Bootstrap holds what the acts share. Its methods are called by one driver, one
// after another.
type Bootstrap struct {
	// Replicas are the servers, lowest ordinal first. Discover replaces them.
	Replicas []Replica
	// Discover, if not nil, finds out at each look which replicas there are now, and how
	// many there are to be; 0 if it cannot tell.
	Discover func(ctx context.Context) (found []Replica, expected int, err error)
	// Expected is how many replicas there are to be; 0 if nobody has said. Nothing is
	// initialized before that many are known.
	Expected int
	Doorman  Doorman
	Records  Records
	// Holder is this process's identity, for the attempt and the history.
	Holder string
	// Preflight checks that the store takes what initialization will write.
	Preflight func(ctx context.Context) error
	// Digest is the digest of the seed, for the checkpoint.
	Digest string
	// Prune says what the seed lets us delete. It is set before Declare.
	Prune seed.Prune
	// Split is for a Vault with a Shamir seal, Recovery for one with auto-unseal.
	Split, Recovery KeySplit
	// Spool holds the places that keep Vault's answer to sys/init until it is stored.
	Spool []spool.Place
	// Pods are the pods of the replicas; nil outside Kubernetes.
	Pods Pods
	// Loss says what to do when keys are lost. To reset needs Pods.
	Loss Loss
	// RespectSeal is whether a replica that somebody has sealed stays so. It needs Pods.
	RespectSeal bool
	// WaitForUnseal is whether to wait for custodians to unseal, instead of ending.
	WaitForUnseal bool
	// Pod is the name of our Pod; empty outside Kubernetes.
	Pod string
	// Tell, if not nil, tells people what is out of the ordinary, beside the log: reason is
	// one CamelCase word, as in a Kubernetes Event.
	Tell func(warning bool, reason, message string)
	// Mends is whether a look ends what a killed break-glass or rotation has left. Only who
	// holds the Lease may: otherwise the one at work may be alive.
	Mends bool
	// Login is how later runs log in.
	Login Login
	// SeedLogin is whether the seed says so, and no flag.
	SeedLogin bool
	// Name is the name of our records, of our policy and of our role.
	Name string
	// Parallelism is how many calls to Vault may be in flight.
	Parallelism int
	Log         *slog.Logger
	Now         func() time.Time

	// Rules say which controls are required, fixed and accepted.
	Rules harden.Rules
	// Around, if not nil, looks at the Kubernetes cluster around Vault.
	Around func(ctx context.Context) *harden.Kubernetes
	// Controls are the results of the latest look.
	Controls []harden.Result

	objects  []seed.Object // all that Vault is to hold
	declared []seed.Object // the part of it that our own login may change
	needs    []seed.Grant

	attempt    *store.Attempt // the one that this run began
	usable     []spool.Place  // those of Spool that can take the answer
	emptySince time.Time      // since when all replicas have answered 'uninitialized'
	alone      waiters        // the empty replicas beside an active node
	refused    refusals       // how long the login has been refused
	clusterID  string         // of the active node
	lives      lives          // of the servers behind the replicas

	looks bool           // log in by the role that only reads, if there is one
	own   *vault.Session // our login, at ownAt
	ownAt string
	// ownLent is whether it is a token that somebody else keeps alive.
	ownLent bool
	// ownReads is whether it is that of the role that only reads.
	ownReads bool
	root     *vault.Session // the root token's, as long as it lives
	glass    *glass         // the root token of break-glass, while it is in use

	facts harden.Facts    // of the latest look
	tried map[string]bool // the controls that this run has tried to fix

	plan    *seed.Plan // of the latest look, made with planner
	planner *vault.Session
}

// Acts returns the act of every event.
func (b *Bootstrap) Acts() map[fsm.Event]fsm.Act {
	return map[fsm.Event]fsm.Act{
		fsm.Initialize: b.initialize,
		fsm.Unseal:     b.unseal,
		fsm.Seed:       b.seed,
		fsm.Harden:     b.harden,
		fsm.Seal:       b.observe("Vault was sealed since the last run"),
		fsm.Drift:      b.observe("Vault no longer matches the seed"),
		fsm.Weaken:     b.observe("a required control no longer holds"),
	}
}

// observe is the act of the events that the world brings about by itself: the
// change has happened, what is left is to say so.
func (b *Bootstrap) observe(what string) fsm.Act {
	return func(context.Context, fsm.Observation) error {
		b.Log.Warn(what)
		return nil
	}
}

// newID returns a random, unique name of 26 letters and digits.
func newID() string { return rand.Text() }

// newSecret returns a secret of 128 random bits.
func newSecret() secret.Value { return secret.New(rand.Text()) }

// eachReplica calls f for all replicas at once and returns when all have returned.
func eachReplica(replicas []Replica, f func(i int, replica Replica)) {
	var group sync.WaitGroup
	for i, replica := range replicas {
		group.Go(func() { f(i, replica) })
	}
	group.Wait()
}

func (b *Bootstrap) at(address string) Replica {
	for _, replica := range b.Replicas {
		if replica.Address() == address {
			return replica
		}
	}
	return nil
}
