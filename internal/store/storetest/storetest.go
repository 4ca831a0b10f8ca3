// Package storetest is the conformance suite of store.Store: what every implementation must do. The
// implementations' own tests run it, each with its Backend.
package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Record names one of the two records.
type Record string

// The records.
const (
	Keys       Record = "keys"
	Checkpoint Record = "checkpoint"
)

// Backend keeps records, and is empty at first. Its functions end the test when they fail.
type Backend struct {
	// Open returns a new handle on the records, as another process would have.
	Open func(t *testing.T) store.Store
	// Plant writes the content of a record, bypassing the store.
	Plant func(t *testing.T, record Record, content []byte)
	// Planted reads the content of a record, bypassing the store.
	Planted func(t *testing.T, record Record) []byte
	// Remove removes the record with the object or file that holds it.
	Remove func(t *testing.T, record Record)
	// Orphan has a holder acquire the Lease and die without releasing it.
	Orphan func(t *testing.T, options store.LeaseOptions)
	// Rob takes the Lease from its holder behind its back.
	Rob func(t *testing.T)
}

// patience limits every wait for something that must happen.
const patience = 90 * time.Second

// LeaseOptions are the durations of the suite: short, but long enough for a renewal to succeed on a
// busy machine.
func LeaseOptions(holder string) store.LeaseOptions {
	return store.LeaseOptions{
		Holder: holder, Duration: 4 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 200 * time.Millisecond,
	}
}

// test is one test of the suite.
type test struct {
	name string
	run  func(t *testing.T, b Backend)
}

// clocked are the tests that wait for a Lease, or for longer than one lives.
var clocked = []test{
	{"lease: waiting", leaseWaiting},
	{"lease: waiting in vain", leaseWaitingInVain},
	{"lease: dead holder", leaseDeadHolder},
	{"lease: lost", leaseLost},
	{"lease: kept after its context", leaseKept},
	{"session: one after the other", sessionsQueue},
	{"session: fenced after a lost lease", sessionFencedAfterLoss},
}

// quick are the others.
var quick = []test{
	{"nothing there", nothingThere},
	{"round trip", roundTrip},
	{"conflicts", conflicts},
	{"removed record", removedRecord},
	{"first write race", firstWriteRace},
	{"history is capped", historyIsCapped},
	{"what is not understood", notUnderstood},
	{"preflight changes nothing", preflightChangesNothing},
	{"rehearsal changes nothing", rehearsalChangesNothing},

	{"lease: release", leaseRelease},
	{"lease: mirror", leaseMirror},

	{"session: epochs", sessionEpochs},
	{"session: epochs without a lease", sessionEpochsUnleased},
	{"session: fenced", sessionFenced},
	{"session: update", sessionUpdate},
	{"session: delivery", sessionDelivery},
	{"session: concurrent updates", sessionConcurrentUpdates},
	{"session: unchanged", sessionUnchanged},
	{"session: removed records", sessionRemovedRecords},
	{"session: corrupt record", sessionCorruptRecord},
}

// Run runs the suite. Each test has its own backend, created by empty, and runs
// in parallel to the others.
func Run(t *testing.T, empty func(t *testing.T) Backend) {
	t.Helper()
	run(t, clocked, empty)
	run(t, quick, empty)
}

// RunQuick runs the tests that do not wait.
func RunQuick(t *testing.T, empty func(t *testing.T) Backend) {
	t.Helper()
	run(t, quick, empty)
}

func run(t *testing.T, tests []test, empty func(t *testing.T) Backend) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, empty(t))
		})
	}
}

// within returns a context for what must happen soon.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Receive returns what comes from channel, and ends the test when nothing does.
func Receive[T any](t *testing.T, channel <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-channel:
		return value
	case <-time.After(patience):
		t.Fatalf("%s did not come within %s", what, patience)
		panic("unreachable")
	}
}

func sampleKeys() store.Keys {
	at := time.Date(2026, 1, 2, 3, 4, 7, 0, time.UTC)
	return store.Keys{
		Epoch: 7,
		Attempt: &store.Attempt{
			ID: "a2", Holder: "pod/1", Epoch: 7, Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
			Status: store.AttemptStored, Target: "https://vault-0:8200",
		},
		Past: []store.Attempt{{ID: "a1", Holder: "pod/0", Epoch: 6, Status: store.AttemptOpen}},
		Set: &store.KeySet{
			Kind: store.UnsealKeys, Shares: secret.Values([]string{"share-one", "share-two"}), Threshold: 2,
			ClusterID: "c", Created: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
		},
		Root:    &store.Root{Token: secret.New("hvs.root"), Accessor: "acc"},
		AppRole: &store.AppRole{RoleID: "r", SecretID: secret.New("s")}, Ceremony: &store.AppRole{RoleID: "cr", SecretID: secret.New("cs")},
		HashKey: secret.New("h"),
		Old:     map[string]store.KeySet{"2025-12-31T00:00:00Z": {Kind: store.RecoveryKeys, Shares: secret.Values([]string{"old"}), Threshold: 1}},
		RootGrant: &store.RootGrant{
			ID: "g", Holder: "h", Reason: "because", Started: at, PublicKey: "gpub", PrivateKey: secret.New("gpriv"), Fingerprint: "f",
			Finishing: at, Token: secret.New("hvs.glass"), Accessor: "gacc",
		},
		Rotation: &store.Rotation{
			ID: "r", Holder: "h", Started: at, PublicKey: "rpub", PrivateKey: secret.New("rpriv"), Fingerprints: []string{"f", "f"}, Nonce: "n",
			Set:    &store.KeySet{Kind: store.UnsealKeys, Shares: secret.Values([]string{"new"}), Threshold: 1, ClusterID: "c", Created: at},
			Rivals: []store.KeySet{{Kind: store.UnsealKeys, Custody: []store.CustodyShare{{Owner: "o", Fingerprint: "f", Message: "m"}}, Threshold: 1, ClusterID: "c", Created: at}},
		},
	}
}

func sampleCheckpoint() store.Checkpoint {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return store.Checkpoint{
		Epoch: 7, State: "seeded", Since: at, ClusterID: "c", SeedDigest: "sha256:d", Namespace: "team/x",
		Ledger:    map[string]store.Ownership{"policy/a": store.Created, "policy/b": store.TakenOver},
		Hashes:    map[string]map[string]string{"auth/a": {"password": "hmac"}},
		LastError: &store.Failure{Kind: "transient", Name: "n", Message: "m <&>", Remedy: "r", At: at},
		History:   []store.Transition{{At: at, From: "unsealed", Event: "seed", To: "seeded", Took: 1500 * time.Millisecond, Holder: "pod/1"}},
	}
}

func readKeys(t *testing.T, s store.Store) (store.Keys, store.Revision) {
	t.Helper()
	keys, revision, err := s.Keys(within(t))
	if err != nil {
		t.Fatalf("reading the keys: %v", err)
	}
	return keys, revision
}

func readCheckpoint(t *testing.T, s store.Store) (store.Checkpoint, store.Revision) {
	t.Helper()
	checkpoint, revision, err := s.Checkpoint(within(t))
	if err != nil {
		t.Fatalf("reading the checkpoint: %v", err)
	}
	return checkpoint, revision
}

func wantKeys(t *testing.T, s store.Store, want store.Keys) store.Revision {
	t.Helper()
	keys, revision := readKeys(t, s)
	keys.Sealing = nil // how it is encrypted is not what these tests are about
	if !reflect.DeepEqual(keys, want) {
		t.Errorf("the keys record is %+v, want %+v (or a secret in it differs)", keys, want)
	}
	return revision
}

func wantCheckpoint(t *testing.T, s store.Store, want store.Checkpoint) store.Revision {
	t.Helper()
	checkpoint, revision := readCheckpoint(t, s)
	if !reflect.DeepEqual(checkpoint, want) {
		t.Errorf("the checkpoint is %+v, want %+v", checkpoint, want)
	}
	return revision
}
