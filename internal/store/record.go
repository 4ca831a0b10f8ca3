package store

import (
	"maps"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Keys is the record of everything that opens the Vault. It is one object, so that one
// compare-and-swap covers the intent to initialize and its result.
type Keys struct {
	// Epoch is the fencing number of the holder that may write: each holder raises it by one when
	// it acquires the Lease. 0 means that nobody has done so yet.
	Epoch int64
	// Attempt is the latest attempt at sys/init; nil before the first.
	Attempt *Attempt
	// Past holds earlier attempts, oldest first. They are never dropped.
	Past []Attempt
	// Set is the set of keys in force; nil until sys/init was answered.
	Set *KeySet
	// Root is the root token; nil once it has been revoked.
	Root *Root
	// AppRole is the credential of the tool's own login where it uses AppRole.
	AppRole *AppRole
	// Ceremony is the credential that authorizes ceremonies when our own login does not work; nil
	// unless somebody has asked for it.
	Ceremony *AppRole
	// HashKey is the key of the hashes of write-only values in the checkpoint.
	HashKey secret.Value
	// Old holds sets of keys that are no longer in force, by the date (RFC 3339) on which they were
	// retired: they open the backups of their time.
	Old map[string]KeySet
	// RootGrant is the root token that a break-glass is generating or using; nil if there is none.
	RootGrant *RootGrant
	// Rotation is the exchange of the key shares that is in progress; nil if none is.
	Rotation *Rotation
	// Sealing says how the record is encrypted; nil for one in clear.
	Sealing *Sealing
}

// Attempt is one attempt at sys/init.
type Attempt struct {
	// ID is random and unique.
	ID string
	// Holder is the identity of the process that made the attempt.
	Holder string
	// Epoch is the holder's fencing number.
	Epoch int64
	// Started is when the intent was written, in UTC.
	Started time.Time
	// Status says how far the attempt got.
	Status AttemptStatus
	// Target is the address of the replica that was asked to initialize.
	Target string
	// Pod is the name of the Pod that made the attempt, whose termination message may
	// hold the answer; empty outside Kubernetes.
	Pod string
	// Process names the process that made the attempt, on its machine; empty if the system has no
	// such name.
	Process string
	// Grace is how long after its intent the process may still deliver the answer. Others measure
	// it on their own clocks, from when they first saw the attempt. 0 in records of earlier
	// versions.
	Grace time.Duration
	// PublicKey and PrivateKey are the attempt's PGP key pair, base64: Vault's answer is encrypted
	// to it. They are written before Vault is asked, and the private key is dropped when the stored
	// shares have unsealed Vault and the root token is revoked.
	PublicKey  string
	PrivateKey secret.Value
	// Emptied is the storage that was deleted because the attempt's keys are lost, and EmptiedAt is
	// when that was decided, in UTC. They are written before it is deleted.
	Emptied   *Emptied
	EmptiedAt time.Time
	// Answer is Vault's answer as received, encrypted; nil until it is stored. The answer of the
	// set in force is dropped together with the private key.
	Answer *Answer
}

// Emptied is one replica's storage that was deleted: its pod, and the claim of its
// volume, if it had one.
type Emptied struct {
	Address         string
	Pod, PodUID     string
	Claim, ClaimUID string
}

// Answer is Vault's answer to sys/init, encrypted.
type Answer struct {
	// Shares and Root are base64 PGP messages.
	Shares []string
	Root   string
	// Recovery and Threshold say what the shares are, and Custody whether they are
	// encrypted to operators' own keys. Threshold is 0 in records of earlier versions, in
	// which an answer is that of the set in force.
	Recovery  bool
	Threshold int
	Custody   bool
}

// AttemptStatus says how far an attempt at sys/init got.
type AttemptStatus string

// The statuses of an attempt.
const (
	// AttemptOpen: the intent is written, the answer is not stored.
	AttemptOpen AttemptStatus = "open"
	// AttemptRefused: Vault itself refused, and was found empty afterwards.
	AttemptRefused AttemptStatus = "refused"
	// AttemptStored: the answer is stored.
	AttemptStored AttemptStatus = "stored"
	// AttemptUnopened: the answer is stored as it came, since the record could not be opened then.
	AttemptUnopened AttemptStatus = "unopened"
)

// KeySet is one set of unseal or recovery keys.
type KeySet struct {
	// Kind says what the shares do.
	Kind KeyKind
	// Shares are the key shares, base64; none if operators keep them.
	Shares []secret.Value
	// Custody holds the shares encrypted to operators' own PGP keys, which nobody else can decrypt;
	// empty if we hold the shares ourselves.
	Custody []CustodyShare
	// Threshold is how many of the shares are needed.
	Threshold int
	// ClusterID is the Vault cluster's ID, empty until the first unsealing shows it.
	ClusterID string
	// Created is when the set was stored, in UTC.
	Created time.Time
	// Attempt is the ID of the attempt whose answer the set is; empty for a set that was adopted or
	// rotated, and in records of earlier versions.
	Attempt string
}

// Shareless reports whether there never were any shares: the server unseals itself, and was
// initialized without recovery keys.
func (s KeySet) Shareless() bool {
	return s.Kind == RecoveryKeys && s.Threshold == 0 && len(s.Shares) == 0 && len(s.Custody) == 0
}

// CustodyShare is a key share that only one operator can decrypt.
type CustodyShare struct {
	// Owner and Fingerprint are of the operator's PGP key.
	Owner, Fingerprint string
	// Message is the share, a base64 PGP message.
	Message string
}

// KeyKind says what key shares do.
type KeyKind string

// The kinds of key shares.
const (
	// UnsealKeys open a Shamir seal.
	UnsealKeys KeyKind = "unseal"
	// RecoveryKeys authorize generate-root and rekey if a KMS or another Vault unseals; they unseal
	// nothing.
	RecoveryKeys KeyKind = "recovery"
)

// Root is the root token of the first run.
type Root struct {
	Token secret.Value
	// Accessor identifies the token without granting anything; empty until looked up.
	Accessor string
}

// AppRole is a credential of Vault's AppRole auth method.
type AppRole struct {
	// RoleID names the role; it is not a secret by itself.
	RoleID string
	// SecretID is the other half of the login.
	SecretID secret.Value
}

// Checkpoint is the record of progress. It holds no secret: people may read it without the keys.
type Checkpoint struct {
	// Epoch is the fencing number of the holder that wrote it.
	Epoch int64
	// State is the last state entered, by its name; empty before the first.
	State string
	// Since is when State was entered, and RootSince since when the root token of the first run is
	// stored, both in UTC; zero if there is none.
	Since, RootSince time.Time
	// ClusterID is the Vault cluster's ID; empty before the first unsealing.
	ClusterID string
	// SeedDigest is the digest of the seed applied last.
	SeedDigest string
	// Namespace is Vault's namespace that the ledger and the hashes are about, RootNamespace for
	// the root namespace; empty in records of versions that did not keep it.
	Namespace string
	// Ledger holds the objects of the seed that we own: object ID → how it came to be ours.
	Ledger map[string]Ownership
	// Hashes holds keyed hashes of applied values that Vault does not return:
	// object ID → field → hash.
	Hashes map[string]map[string]string
	// Open holds the life in which each replica was last seen unsealed: address → a name that
	// changes with each restart, at most OpenLimit. It is kept only if seals are to be respected.
	Open map[string]string
	// HighWater is the latest encryption of the keys record that was opened; nil if it was never
	// encrypted. A copy from before that is refused.
	HighWater *HighWater
	// LastError is the failure that ended the latest run; nil after a success.
	LastError *Failure
	// History holds the latest transitions, oldest first, HistoryLimit at most.
	History []Transition
}

// HistoryLimit is how many transitions a checkpoint remembers.
const HistoryLimit = 50

// OpenLimit is the number of replicas whose life a checkpoint remembers. Addresses of pods can
// change with each restart, and the record must not grow with them.
const OpenLimit = 64

// Ownership says how an object of the seed came to be ours.
type Ownership string

// The kinds of ownership.
const (
	// Intended: about to be created; written ahead, so that a crash orphans nothing.
	Intended Ownership = "intended"
	// Created by us.
	Created Ownership = "created"
	// TakenOver: it existed before the seed named it.
	TakenOver Ownership = "taken over"
)

// Failure is an error as the checkpoint keeps it.
type Failure struct {
	Kind    string
	Name    string
	Message string
	Remedy  string
	At      time.Time
}

// Transition is one line of the history.
type Transition struct {
	At     time.Time
	From   string
	Event  string
	To     string
	Took   time.Duration
	Holder string
}

// Remember appends a transition and drops the oldest beyond HistoryLimit.
func (c *Checkpoint) Remember(t Transition) {
	c.History = append(c.History, t)
	if over := len(c.History) - HistoryLimit; over > 0 {
		c.History = append([]Transition(nil), c.History[over:]...)
	}
}

// RememberOpen records the lives in which the replicas were last seen unsealed. Beyond OpenLimit it
// drops addresses that are no longer present, in order of their names, and then, in a cluster that
// is larger still, others.
func (c *Checkpoint) RememberOpen(open map[string]string, present []string) {
	c.Open = maps.Clone(open)
	over := len(c.Open) - OpenLimit
	if over <= 0 {
		return
	}
	addresses := slices.Sorted(maps.Keys(c.Open))
	slices.SortStableFunc(addresses, func(a, b string) int {
		switch here, there := slices.Contains(present, a), slices.Contains(present, b); {
		case here == there:
			return 0
		case here:
			return 1
		default:
			return -1
		}
	})
	for _, address := range addresses[:over] {
		delete(c.Open, address)
	}
}
