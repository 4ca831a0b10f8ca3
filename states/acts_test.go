package states

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// initialized runs the act and expects it to succeed.
func (s *site) initialized(t *testing.T) {
	t.Helper()
	if err := s.Acts()[fsm.Initialize](t.Context(), s.outside(t)); err != nil {
		t.Fatal(err)
	}
}

func TestInitialize(t *testing.T) {
	s := newSite(t)
	s.store.away = errors.New("the API server is away")
	s.initialized(t)
	keys := s.store.keys
	if keys.Set == nil || len(keys.Set.Shares) != 3 || !slices.EqualFunc(keys.Set.Shares, s.replica.shares, secret.Value.Equal) || keys.Root.Token.Reveal() != "root" {
		t.Fatalf("stored are %+v", keys.Set)
	}
	if keys.Attempt.Status != store.AttemptStored || keys.Attempt.Answer == nil || keys.HashKey.Empty() {
		t.Errorf("the attempt is %+v", keys.Attempt)
	}
	if left, err := os.ReadDir(string(s.dir)); err != nil || len(left) > 0 {
		t.Errorf("the spool holds %v, %v", left, err)
	}
	if !strings.Contains(s.logged.String(), "the keys are not stored yet") {
		t.Error("it is not logged that the store was away")
	}
	if err := s.Acts()[fsm.Unseal](t.Context(), s.outside(t)); err != nil || s.replica.code != http.StatusOK || s.store.keys.Set.ClusterID != "c1" {
		t.Errorf("unsealing: %v, health %d, cluster %q", err, s.replica.code, s.store.keys.Set.ClusterID)
	}
}

// TestInitializeInPlaceOfAnother forgets the ledger of a Vault whose storage and keys record are gone,
// before it initializes the empty one.
func TestInitializeInPlaceOfAnother(t *testing.T) {
	s := newSite(t)
	s.store.checkpoint = store.Checkpoint{State: "hardened", ClusterID: "c0", SeedDigest: "sha256:x", Ledger: map[string]store.Ownership{"sys/policies/acl/app": store.Created}}
	look := s.outside(t)
	if state, err := fsm.Locate(*look.Observed()); look.Observation.Keys != fsm.MissingKeys || state != fsm.Uninitialized || err != nil {
		t.Fatalf("keys %v, located %q, %v", look.Observation.Keys, state, err)
	}
	s.initialized(t)
	if c := s.store.checkpoint; c.ClusterID != "" || c.Ledger != nil || c.SeedDigest != "" || s.store.keys.Set == nil {
		t.Errorf("the checkpoint still holds %+v", c)
	}
	if !strings.Contains(s.logged.String(), "another one takes its place") {
		t.Error("nothing is logged")
	}
}

// TestKeysMissing distinguishes records of which the keys are gone from those that never held any.
func TestKeysMissing(t *testing.T) {
	known := store.Checkpoint{State: "hardened", ClusterID: "c1"}
	sealed := fsm.Replicas{{Address: "a", Health: fsm.Sealed}}
	for name, test := range map[string]struct {
		keys       store.Keys
		checkpoint store.Checkpoint
		replicas   fsm.Replicas
		missing    bool
	}{
		"the record is gone":                    {store.Keys{Epoch: 7}, known, sealed, true},
		"the record is gone, nobody was asked":  {store.Keys{}, known, nil, true},
		"nothing was ever recorded":             {store.Keys{}, store.Checkpoint{State: "uninitialized"}, sealed, false},
		"without keys (--keys=none)":            {store.Keys{HashKey: secret.New("x")}, known, sealed, false},
		"the keys were put away":                {store.Keys{Old: map[string]store.KeySet{"2026": {}}}, known, sealed, false},
		"an attempt is on record":               {store.Keys{Attempt: &store.Attempt{}}, known, sealed, false},
		"every replica is empty":                {store.Keys{}, known, fsm.Replicas{{Address: "a", Health: fsm.NotInitialized}}, false},
		"another cluster answers":               {store.Keys{}, known, fsm.Replicas{{Address: "a", Health: fsm.Active, ClusterID: "c2"}}, false},
		"the cluster of the checkpoint answers": {store.Keys{}, known, fsm.Replicas{{Address: "a", Health: fsm.Active, ClusterID: "c1"}}, true},
	} {
		err := RefuseMissing("vb", test.replicas, test.keys, test.checkpoint)
		if got := fault.NameOf(err) == fsm.NameKeysMissing; got != test.missing || err != nil && !got {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error()+fault.RemedyOf(err), "vb-keys") {
			t.Errorf("%s: the record is not named: %v", name, err)
		}
	}
}

// TestInitializeAsksForNothingThatCannotBeKept ends before Vault is asked.
func TestInitializeAsksForNothingThatCannotBeKept(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"the record is full":  func(c *Config) { s, _ := c.Records.(*memory); s.full = errors.New("too large") },
		"the store refuses":   func(c *Config) { c.Preflight = func(context.Context) error { return errors.New("read-only") } },
		"nowhere is a spool":  func(c *Config) { c.SpoolLocations = nil },
		"the spool is a file": func(c *Config) { c.SpoolLocations = []spool.Location{spool.Dir("/dev/null")} },
	} {
		s := newSite(t, change)
		if err := s.Acts()[fsm.Initialize](t.Context(), s.outside(t)); err == nil || len(s.replica.requests) > 0 || s.store.keys.Attempt != nil {
			t.Errorf("%s: %v, asked %d times", name, err, len(s.replica.requests))
		}
	}
}

// TestRefusedInitialization reuses the key pair of a refused attempt, and records the refusal once
// Vault was found empty afterwards.
func TestRefusedInitialization(t *testing.T) {
	s := newSite(t)
	s.replica.refuses = answered(http.StatusBadRequest, "invalid seal configuration")
	err := s.Acts()[fsm.Initialize](t.Context(), s.outside(t))
	if symptom, ok := errors.AsType[*fsm.Symptom](err); !ok || symptom.Kind != fsm.InitRefused {
		t.Fatalf("found %v", err)
	}
	s.outside(t)
	s.clock = s.clock.Add(time.Second)
	look := s.outside(t)
	if look.Unsettled.Refused == "" || look.Settled() {
		t.Fatalf("unsettled is %+v", look.Unsettled)
	}
	if changed, err := s.Settle(t.Context(), look); err != nil || !changed || s.store.keys.Attempt.Status != store.AttemptRefused {
		t.Errorf("settled: %v, %v, %v", changed, err, s.store.keys.Attempt.Status)
	}
	s.replica.refuses = nil
	first := s.store.keys.Attempt.ID
	s.initialized(t)
	if s.store.keys.Attempt.ID != first || s.replica.requests[0].RootKey != s.replica.requests[1].RootKey || len(s.store.keys.Past) != 0 {
		t.Errorf("another attempt was made: %+v", s.store.keys.Attempt)
	}
}

// killed leaves an attempt whose answer is spooled and not stored.
func (s *site) killed(t *testing.T) {
	t.Helper()
	s.initialized(t)
	attempt := s.store.keys.Attempt
	answer := attempt.Answer
	encoded, err := spool.Entry{Attempt: attempt.ID, Shares: answer.Shares, Root: answer.Root, Threshold: answer.Threshold}.Encode()
	if err == nil {
		err = s.dir.Write(attempt.ID, encoded)
	}
	if err != nil {
		t.Fatal(err)
	}
	attempt.Status, attempt.Answer = store.AttemptOpen, nil
	s.store.keys.Set, s.store.keys.Root = nil, nil
}

func TestSpooledAnswerIsStored(t *testing.T) {
	s := newSite(t)
	s.killed(t)
	look := s.outside(t)
	if look.Observation.Keys != fsm.SpooledAnswer || len(look.Unsettled.Answers) != 1 {
		t.Fatalf("the look found %+v", look.Unsettled)
	}
	if changed, err := s.Settle(t.Context(), look); err != nil || !changed || s.store.keys.Set == nil {
		t.Errorf("settled: %v, %v", changed, err)
	}
	if look = s.outside(t); look.Observation.Keys != fsm.StoredKeys || !look.Settled() {
		t.Errorf("the next look found %+v", look.Unsettled)
	}
}

func TestRecover(t *testing.T) {
	s := newSite(t)
	s.killed(t)
	texts, err := s.dir.Read(t.Context(), spool.Origin{Attempt: s.store.keys.Attempt.ID})
	if err != nil || len(texts) != 1 {
		t.Fatalf("spooled are %d, %v", len(texts), err)
	}
	delivery := NewDelivery(s.Setting(), s.store, []spool.Location{s.dir}, s.initializing.delivery.responses.split, s.initializing.delivery.responses.recovery)
	if err := delivery.Recover(t.Context(), []byte("nothing")); fault.KindOf(err) != fault.Usage {
		t.Errorf("nothing was recovered: %v", err)
	}
	if err := delivery.Recover(t.Context(), texts[0]); err != nil || s.store.keys.Set == nil {
		t.Errorf("recovered: %v", err)
	}
	s.store.keys = store.Keys{}
	if err := delivery.Recover(t.Context(), texts[0]); fault.NameOf(err) != fsm.NameKeysLost {
		t.Errorf("without its attempt: %v", err)
	}
}

// TestOtherAnswerOpens has two answers on record, and the one that is not in force opens the Vault.
func TestOtherAnswerOpens(t *testing.T) {
	s := newSite(t)
	s.initialized(t)
	fits := *s.store.keys.Attempt
	pair, err := pgp.Generate("other", s.clock)
	if err != nil {
		t.Fatal(err)
	}
	s.store.keys.Past = append(s.store.keys.Past, fits)
	s.store.keys.Attempt = &store.Attempt{ID: "other", PrivateKey: pair.Private, Status: store.AttemptStored, Answer: &store.Answer{}}
	s.store.keys.Set = &store.KeySet{Kind: store.UnsealKeys, Attempt: "other", Threshold: 2, Shares: []secret.Value{secret.New("x"), secret.New("y")}}
	look := s.outside(t)
	if err := s.OpenSealed(t.Context(), look); err != nil || s.replica.code != http.StatusOK || s.store.keys.Set.Attempt != "other" {
		t.Fatalf("opened without the Lease: %v, in force is %q", err, s.store.keys.Set.Attempt)
	}
	s.replica.code = http.StatusServiceUnavailable
	if err := s.Tend(t.Context(), look); err != nil || s.store.keys.Set.Attempt != fits.ID || s.store.keys.Set.ClusterID != "c1" {
		t.Errorf("opened: %v, in force is %+v", err, s.store.keys.Set)
	}
}

func TestOpenOwn(t *testing.T) {
	s := newSite(t)
	opener := NewOpener(s.Setting(), s.admin.Cluster)
	if health, err := opener.OpenOwn(t.Context(), s.store); health != fsm.NotInitialized || !errors.Is(err, ErrNoKeys) {
		t.Errorf("empty: %s, %v", health, err)
	}
	s.initialized(t)
	if health, err := opener.OpenOwn(t.Context(), s.store); health != fsm.Sealed || err != nil || s.replica.code != http.StatusOK {
		t.Errorf("sealed: %s, %v", health, err)
	}
	if health, err := opener.OpenOwn(t.Context(), s.store); health != fsm.Active || err != nil {
		t.Errorf("open: %s, %v", health, err)
	}
	s.replica.code = http.StatusTeapot
	if health, err := opener.OpenOwn(t.Context(), s.store); health != fsm.NoAnswer || fault.KindOf(err) != fault.Transient {
		t.Errorf("silent: %s, %v", health, err)
	}
}

func TestJoin(t *testing.T) {
	s := newSite(t)
	s.replica.code = http.StatusOK
	for _, test := range []struct {
		storage string
		code    int
		leader  string // "-" if it is not joined
	}{
		{"raft", http.StatusNotImplemented, "https://leader:8200"},
		{"file", http.StatusNotImplemented, "-"},
		{"raft", 474, "-"},
		{"postgresql", 474, ""},
	} {
		late := &fakeReplica{address: "https://vault-1:8200", code: test.code, storage: test.storage}
		s.admin.Cluster.Replicas = []cluster.Replica{s.replica, late}
		for range 2 {
			if err := s.Tend(t.Context(), s.outside(t)); err != nil {
				t.Fatal(err)
			}
			s.clock = s.clock.Add(joinPatience)
		}
		want := []string{test.leader}
		if test.leader == "-" {
			want = nil
		}
		if !slices.Equal(late.joined, want) {
			t.Errorf("%s, %d: joined %q, want %q", test.storage, test.code, late.joined, want)
		}
		s.joining.alone = nil
	}
}

func TestCheckpoint(t *testing.T) {
	s := newSite(t)
	s.replica.code = http.StatusOK
	s.Desire(&Desired{declaration: Declaration{Digest: func() string { return "digest" }}})
	if err := s.Enter(t.Context(), s.outside(t), fsm.Transition{From: fsm.Unsealed, Event: fsm.Seed, To: fsm.Seeded}); err != nil {
		t.Fatal(err)
	}
	if c := s.store.checkpoint; c.State != "seeded" || c.SeedDigest != "digest" || c.ClusterID != "c1" || s.store.mirror.State != "seeded" {
		t.Errorf("on record is %+v", c)
	}
	failure := fault.Stop("x", errors.New("broken"), "mend it")
	for range 2 {
		if err := s.Finish(t.Context(), failure, fsm.Hardened); err != nil {
			t.Fatal(err)
		}
		if s.store.checkpoint.LastError == nil || s.store.checkpoint.LastError.Name != "x" {
			t.Errorf("the failure on record is %+v", s.store.checkpoint.LastError)
		}
	}
	if err := s.Finish(t.Context(), nil, fsm.Unsealed); err != nil || s.store.checkpoint.LastError != nil {
		t.Errorf("a failure stays on record after the run recovered: %v", err)
	}
	for _, event := range []fsm.Event{fsm.Seal, fsm.Drift, fsm.Weaken} {
		if err := s.Acts()[event](t.Context(), &Look{}); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
}

// emptied is storage that can be emptied.
type emptied struct{ did []string }

func (e *emptied) Storage(_ context.Context, address, volume string) (workload.Storage, error) {
	return workload.Storage{Address: address, Claim: volume}, nil
}

func (e *emptied) Empty(_ context.Context, storage workload.Storage) error {
	e.did = append(e.did, storage.Claim)
	return nil
}

func TestRescue(t *testing.T) {
	lost := fault.Stop(fsm.NameKeysLost, errors.New("lost"), "start over")
	for name, test := range map[string]struct {
		spoil   func(s *site)
		emptied bool
	}{
		"ours, whose answer reached nobody": {func(*site) {}, true},
		"not asked for":                     {func(s *site) { s.resetting.loss.Reset = false }, false},
		"its maker may be at work":          {func(s *site) { s.store.keys.Attempt.Holder = "other" }, false},
		"it was open before":                {func(s *site) { s.store.checkpoint.ClusterID = "c1" }, false},
		"it was unsealed before":            {func(s *site) { s.store.checkpoint.State = "hardened" }, false},
		"another attempt was answered":      {func(s *site) { s.store.keys.Past = []store.Attempt{{ID: "p", Status: store.AttemptStored}} }, false},
	} {
		volumes := &emptied{}
		s := newSite(t, func(c *Config) { c.Loss = Loss{Reset: true, Volume: "data", Volumes: volumes} })
		s.initialized(t)
		s.store.keys.Set, s.store.keys.Root, s.store.keys.Attempt.Answer, s.store.keys.Attempt.Status = nil, nil, nil, store.AttemptOpen
		test.spoil(s)
		look := s.outside(t)
		err := s.Rescue(t.Context(), look, lost)
		if err == nil || (len(volumes.did) > 0) != test.emptied || test.emptied && fault.KindOf(err) != fault.Transient {
			t.Errorf("%s: %v, emptied %q", name, err, volumes.did)
		}
	}
}
