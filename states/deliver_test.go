package states

import (
	"os"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// What is asked of Vault is what is declared, and no end of ours cuts the answer off.
func TestWhatVaultIsAskedFor(t *testing.T) {
	s := newSite(t)
	s.initialized(t)
	request := s.replica.requests[0]
	if request.Shares != 3 || request.Threshold != 2 || len(request.ShareKeys) != 3 || request.Recovery {
		t.Errorf("asked for are %d shares with a threshold of %d", request.Shares, request.Threshold)
	}
	if s.replica.endable {
		t.Error("sys/init ends with the run, and its answer is lost")
	}
}

func TestSpoolIsKeptUntilTheKeysAreStored(t *testing.T) {
	s := newSite(t)
	s.store.delivering = func() {
		if spooled, err := os.ReadDir(string(s.dir)); err != nil || len(spooled) != 1 {
			t.Errorf("while the keys are stored, spooled are %v, %v", spooled, err)
		}
	}
	s.initialized(t)
	if s.store.deliveries != 1 {
		t.Errorf("stored %d times", s.store.deliveries)
	}
}

func TestStoredKeysAreReadBack(t *testing.T) {
	s := newSite(t)
	s.store.loses = 1
	s.initialized(t)
	if s.store.keys.Set == nil || s.store.deliveries != 2 {
		t.Errorf("after %d deliveries the set is %+v", s.store.deliveries, s.store.keys.Set)
	}
}

// An answer that comes late is kept beside the set in force, and does not replace it.
func TestLateAnswerReplacesNothing(t *testing.T) {
	s := newSite(t)
	s.killed(t)
	s.store.keys.Set = &store.KeySet{Kind: store.UnsealKeys, Attempt: "other", Threshold: 1, Shares: []secret.Value{secret.New("x")}}
	spooled, err := s.dir.Attempts()
	if err != nil || len(spooled) != 1 {
		t.Fatalf("spooled are %q, %v", spooled, err)
	}
	if _, err := s.Settle(t.Context(), s.outside(t)); err != nil {
		t.Fatal(err)
	}
	keys := s.store.keys
	if keys.Set.Attempt != "other" || keys.Attempt.Status != store.AttemptStored || keys.Attempt.Answer == nil {
		t.Errorf("in force is the set of %q, and the attempt is %q", keys.Set.Attempt, keys.Attempt.Status)
	}
}
