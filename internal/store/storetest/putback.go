package storetest

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
)

// wantPutBack checks that an error names a record that was put back, and that it is still there.
func wantPutBack(t *testing.T, b Backend, what string, err error, record []byte) {
	t.Helper()
	if fault.NameOf(err) != store.RecordPutBack || fault.KindOf(err) != fault.Terminal || !strings.Contains(err.Error(), b.Open(t).Location().Keys) {
		t.Errorf("%s: %v", what, err)
	}
	if string(b.Planted(t, Keys)) != string(record) {
		t.Errorf("%s: the record was written", what)
	}
}

// An earlier copy of the record that somebody puts back is refused before anything is written, from
// before another data key as well as from before a write, and so is one in clear.
func putBack(t *testing.T, b Backend) {
	clear, kms := b.Open(t), NewRecipient("kms")
	_, err := clear.SaveKeys(within(t), sampleKeys(), "")
	check(t, err)
	copies := map[string][]byte{"in clear": b.Planted(t, Keys)}
	s := with(t, b.Open, kms)
	check(t, s.Preflight(within(t)))
	session := begin(t, s, "holder")
	check(t, session.UpdateKeys(within(t), setHashKey("first")))
	copies["of the same data key"] = b.Planted(t, Keys)
	check(t, session.UpdateKeys(within(t), setHashKey("second")))
	copies["of another data key"] = b.Planted(t, Keys)
	keys, err := session.Keys(within(t))
	check(t, err)
	renewed, err := s.Codec().Renew(within(t), keys, session.HighWater())
	check(t, err)
	check(t, session.UpdateKeys(within(t), func(k *store.Keys) error { k.Sealing = renewed; return nil }))
	latest := b.Planted(t, Keys)
	_, err = session.Keys(within(t))
	check(t, err)
	check(t, session.UpdateCheckpoint(within(t), func(*store.Checkpoint) error { return nil }))
	for what, copied := range copies {
		b.Plant(t, Keys, copied)
		_, err := session.Keys(within(t))
		wantPutBack(t, b, what+", in a session", err, copied)
		wantPutBack(t, b, what+", in a session that writes", session.UpdateKeys(within(t), setHashKey("third")), copied)
		for who, records := range map[string]encrypter{"another process": with(t, b.Open, kms), "one without recipients": with(t, b.Open)} {
			_, err = fencing.Begin(within(t), unleased{records}, LeaseOptions("next"))
			wantPutBack(t, b, what+", "+who, err, copied)
		}
	}
	b.Plant(t, Keys, latest)
	end(t, session)
	s = with(t, b.Open, kms)
	session = begin(t, s, "next")
	if keys, err = session.Keys(within(t)); err != nil || keys.HashKey.Reveal() != "second" {
		t.Errorf("the latest record: %v", err)
	}
	end(t, session)

	// Who goes on with an earlier one encrypts it in a later generation.
	b.Plant(t, Keys, copies["of the same data key"])
	s = with(t, b.Open, kms)
	session, err = fencing.BeginWithOlder(within(t), unleased{s}, LeaseOptions("older"))
	check(t, err)
	keys, err = session.Keys(within(t))
	check(t, err)
	renewed, err = s.Codec().Renew(within(t), keys, session.HighWater())
	check(t, err)
	check(t, session.UpdateKeys(within(t), func(k *store.Keys) error { k.Sealing = renewed; return nil }))
	_, err = session.Keys(within(t))
	check(t, err)
	check(t, session.UpdateCheckpoint(within(t), func(*store.Checkpoint) error { return nil }))
	if keys, _ = readKeys(t, with(t, b.Open, kms)); keys.HashKey.Reveal() != "first" {
		t.Errorf("the record that was accepted is %+v", keys)
	}
	b.Plant(t, Keys, latest)
	_, err = fencing.Begin(within(t), unleased{with(t, b.Open, kms)}, LeaseOptions("the other branch"))
	wantPutBack(t, b, "the other branch", err, latest)
}

// Where the record was removed, the keys are missing, and others may be stored: encrypted, or in clear.
func storedAfterRemoval(t *testing.T, b Backend) {
	kms := NewRecipient("kms")
	s := with(t, b.Open, kms)
	check(t, s.Preflight(within(t)))
	session := begin(t, s, "holder")
	for _, text := range []string{"first", "second"} {
		check(t, session.UpdateKeys(within(t), setHashKey(text)))
	}
	_, err := session.Keys(within(t))
	check(t, err)
	check(t, session.UpdateCheckpoint(within(t), func(*store.Checkpoint) error { return nil }))
	if checkpoint, _ := readCheckpoint(t, s); checkpoint.HighWater == nil || checkpoint.HighWater.Generation != 2 {
		t.Fatalf("the checkpoint names %+v", checkpoint.HighWater)
	}
	end(t, session)
	for name, recipients := range map[string][]*Recipient{"encrypted": {kms}, "in clear": nil} {
		b.Remove(t, Keys)
		s = with(t, b.Open, recipients...)
		check(t, s.Preflight(within(t)))
		session = begin(t, s, name)
		if keys, err := session.Keys(within(t)); err != nil || keys.Secret() {
			t.Errorf("%s: the removed record is %+v, %v", name, keys, err)
		}
		check(t, session.UpdateKeys(within(t), setHashKey(name)))
		end(t, session)
		session = begin(t, with(t, b.Open, recipients...), "next")
		if keys, err := session.Keys(within(t)); err != nil || keys.HashKey.Reveal() != name {
			t.Errorf("%s: the record is %+v, %v", name, keys, err)
		}
		end(t, session)
	}
}
