package job

import (
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// TestProve records when each recipient was proven, and leaves out those that were not.
func TestProve(t *testing.T) {
	ours, file, _ := identity(t)
	safe, safeFile, _ := identity(t)
	dir := t.TempDir()
	records, session := opened(t, dir, RecipientOptions{To: []string{ours, safe}, Identities: []string{file}})
	check(t, session.UpdateKeys(t.Context(), func(keys *store.Keys) error { epoch := keys.Epoch; *keys = held(); keys.Epoch = epoch; return nil }))
	now := time.Now().Add(time.Hour).UTC().Truncate(time.Second)

	proofs, err := Prove(t.Context(), records, session, now)
	check(t, err)
	if len(proofs) != 2 || proofs[0].Recipient != ours || proofs[0].Err != nil || proofs[0].NoIdentity || !proofs[1].NoIdentity || !proofs[1].Last.IsZero() {
		t.Errorf("they came to %+v", proofs)
	}
	proven := func() (of [2]time.Time) {
		keys, err := session.Outline(t.Context())
		check(t, err)
		for i, wrap := range keys.Sealing.Wraps {
			of[i] = wrap.Proven
		}
		return of
	}
	if got := proven(); !got[0].Equal(now) || !got[1].IsZero() {
		t.Errorf("proven on %v", got)
	}
	check(t, session.Close())

	// Whoever keeps the escrow needs no more than its identity.
	options := &StoreOptions{Name: "x", Store: "file:" + dir, Encrypt: RecipientOptions{Identities: []string{safeFile}}}
	check(t, options.AddIdentified(t.Context(), noVariables))
	if !slices.Equal(options.Encrypt.To, []string{safe}) {
		t.Errorf("the recipients are %v", options.Encrypt.To)
	}
	records, session = opened(t, dir, options.Encrypt)
	if codec, err := Codec(records); err != nil {
		t.Error(err)
	} else if present, given := codec.Recipients(); len(present) != 2 || given != nil {
		t.Errorf("of %v, %v count as all that was given", present, given)
	}
	later := now.Add(time.Hour)
	proofs, err = Prove(t.Context(), records, session, later)
	check(t, err)
	if len(proofs) != 2 || !proofs[0].NotGiven || !proofs[0].Last.Equal(now) || proofs[1].Err != nil || proofs[1].NoIdentity {
		t.Errorf("by the escrow they came to %+v", proofs)
	}
	if got := proven(); !got[0].Equal(now) || !got[1].Equal(later) {
		t.Errorf("proven on %v", got)
	}

	// An identity of somebody else.
	_, stranger, _ := identity(t)
	options.Encrypt = RecipientOptions{Identities: []string{stranger}}
	if err := options.AddIdentified(t.Context(), noVariables); fault.KindOf(err) != fault.Usage {
		t.Errorf("an identity of nobody: %v", err)
	}
	// With recipients that are given, an identity of somebody else says nothing.
	options.Encrypt = RecipientOptions{To: []string{ours}, Identities: []string{stranger}}
	if err := options.AddIdentified(t.Context(), noVariables); err != nil || len(options.Encrypt.To) != 1 || options.Encrypt.some {
		t.Errorf("%v: %+v", err, options.Encrypt)
	}
}

// TestProveNothing leaves a record in clear alone.
func TestProveNothing(t *testing.T) {
	records, session := opened(t, t.TempDir(), RecipientOptions{})
	check(t, session.UpdateKeys(t.Context(), func(keys *store.Keys) error { keys.Set = held().Set; return nil }))
	if proofs, err := Prove(t.Context(), records, session, time.Now()); err != nil || len(proofs) > 0 {
		t.Errorf("%+v, %v", proofs, err)
	}
}
