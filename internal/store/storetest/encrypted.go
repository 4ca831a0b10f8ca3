package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// encrypter is a store that can encrypt the keys record.
type encrypter interface {
	store.Store
	Codec() *sealed.Codec
}

// RunEncrypted runs the tests of RunQuick with a keys record that is encrypted, and those about
// the encryption itself. The stores of the backends must have a Codec.
func RunEncrypted(t *testing.T, empty func(t *testing.T) Backend) {
	t.Helper()
	run(t, quick, func(t *testing.T) Backend {
		b := empty(t)
		open, kms := b.Open, NewRecipient("kms")
		b.Open = func(t *testing.T) store.Store {
			s := with(t, open, kms)
			check(t, s.Codec().Prepare(within(t), store.Keys{}))
			return s
		}
		return b
	})
	run(t, encrypted, empty)
}

// encrypted are the tests about the encryption.
var encrypted = []test{
	{"encrypted: first write", firstEncryptedWrite},
	{"encrypted: recipients away", recipientsAway},
	{"encrypted: to others", encryptedToOthers},
	{"encrypted: other recipients", otherRecipients},
	{"encrypted: removed", encryptedAndRemoved},
	{"encrypted: put back", putBack},
	{"encrypted: stored after removal", storedAfterRemoval},
}

// with opens a store that encrypts to recipients.
func with(t *testing.T, open func(t *testing.T) store.Store, recipients ...*Recipient) encrypter {
	t.Helper()
	s, ok := open(t).(encrypter)
	if !ok {
		t.Fatal("the store encrypts nothing")
	}
	s.Codec().Use(NewRing(recipients...))
	return s
}

func setHashKey(text string) func(*store.Keys) error {
	return func(k *store.Keys) error { k.HashKey = secret.New(text); return nil }
}

// A record in clear is encrypted by the first session with recipients.
func firstEncryptedWrite(t *testing.T, b Backend) {
	clear, kms := b.Open(t), NewRecipient("kms")
	_, err := clear.SaveKeys(within(t), sampleKeys(), "")
	check(t, err)
	if !strings.Contains(string(b.Planted(t, Keys)), "hvs.root") {
		t.Fatal("without recipients the record is not in clear")
	}
	s := with(t, b.Open, kms)
	check(t, s.Preflight(within(t)))
	session := begin(t, s, "holder")
	for _, text := range []string{"hvs.root", "share-one", "gpriv", "rpriv"} {
		if strings.Contains(string(b.Planted(t, Keys)), text) {
			t.Errorf("%s is still there in clear", text)
		}
	}
	want := sampleKeys()
	want.Epoch = session.Epoch()
	wantKeys(t, with(t, b.Open, kms), want)
	if wraps, unwraps := kms.Calls(); wraps != 1 || unwraps != 2 {
		t.Errorf("%d wraps and %d unwraps, want one to prepare and one more for the other process", wraps, unwraps)
	}
	// Another session, of a process that was given no recipient, may not lose anything.
	end(t, session)
	begin(t, clear, "without recipients")
	want.Epoch++
	wantKeys(t, with(t, b.Open, kms), want)
}

// While no recipient answers, a new process can take over, fence off the earlier one and store an
// answer; one that knows the data key goes on as before.
func recipientsAway(t *testing.T, b Backend) {
	kms := NewRecipient("kms")
	knows := with(t, b.Open, kms)
	check(t, knows.Preflight(within(t)))
	old := begin(t, knows, "old")
	attempt := store.Attempt{ID: "a", PublicKey: "pub", PrivateKey: secret.New("attempt-key"), Status: store.AttemptOpen}
	check(t, old.UpdateKeys(within(t), func(k *store.Keys) error { k.Attempt = &attempt; k.HashKey = secret.New("h"); return nil }))
	kms.Fail(kms.Away())
	check(t, old.UpdateKeys(within(t), setHashKey("i")))

	s := with(t, b.Open, kms)
	check(t, s.Preflight(within(t)))
	later := begin(t, unleased{s}, "later")
	for name, err := range map[string]error{
		"Keys":       func() error { _, err := later.Keys(within(t)); return err }(),
		"UpdateKeys": later.UpdateKeys(within(t), setHashKey("j")),
	} {
		if fault.NameOf(err) != sealed.KeysUnreachable || fault.KindOf(err) != fault.Transient || !errors.Is(err, store.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys, err := later.Outline(within(t))
	if err != nil || !keys.Locked() || keys.Epoch != later.Epoch() || keys.Attempt == nil || !keys.Attempt.PrivateKey.IsWithheld() {
		t.Errorf("the outline is %+v, %v", keys, err)
	}
	check(t, later.Deliver(within(t), func(k *store.Keys) error {
		if !k.Locked() {
			t.Error("the record is open")
		}
		k.Attempt.Status, k.Attempt.Answer = store.AttemptStored, &store.Answer{Shares: []string{"m"}, Root: "r"}
		return nil
	}))
	wantFenced(t, old, knows)
	kms.Fail(nil)
	keys, err = later.Keys(within(t))
	if err != nil || keys.Locked() || keys.HashKey.Reveal() != "i" || keys.Attempt.Answer == nil || keys.Attempt.PrivateKey.Reveal() != "attempt-key" {
		t.Errorf("when the recipient is back the record is %+v, %v", keys, err)
	}
}

func encryptedToOthers(t *testing.T, b Backend) {
	ours := with(t, b.Open, NewRecipient("theirs"))
	check(t, ours.Codec().Prepare(within(t), store.Keys{}))
	_, err := ours.SaveKeys(within(t), sampleKeys(), "")
	check(t, err)
	before := string(b.Planted(t, Keys))
	for name, s := range map[string]store.Store{"another recipient": with(t, b.Open, NewRecipient("ours")), "none": b.Open(t)} {
		check(t, s.Preflight(within(t)))
		if _, _, err := s.Keys(within(t)); fault.NameOf(err) != sealed.KeysSealedToOthers || !strings.Contains(err.Error(), s.Location().Keys) {
			t.Errorf("%s: %v", name, err)
		}
		keys, revision, err := s.Outline(within(t))
		check(t, err)
		keys.Set.Threshold = 1
		if _, err := s.SaveKeys(within(t), keys, revision); !errors.Is(err, store.ErrLocked) {
			t.Errorf("%s: a record that was not opened was changed: %v", name, err)
		}
	}
	if got := string(b.Planted(t, Keys)); got != before {
		t.Errorf("it was changed to %s", got)
	}
}

func otherRecipients(t *testing.T, b Backend) {
	former, next := NewRecipient("former"), NewRecipient("next")
	s := with(t, b.Open, former)
	check(t, s.Preflight(within(t)))
	session := begin(t, s, "holder")
	check(t, session.UpdateKeys(within(t), setHashKey("h")))
	s.Codec().Use(NewRing(next))
	renewed, err := s.Codec().Renew(within(t), store.Keys{}, nil)
	check(t, err)
	check(t, session.UpdateKeys(within(t), func(k *store.Keys) error { k.Sealing = renewed; return nil }))
	if keys, _ := readKeys(t, with(t, b.Open, next)); keys.HashKey.Reveal() != "h" {
		t.Errorf("the new recipient opens %+v", keys)
	}
	if _, _, err := with(t, b.Open, former).Keys(within(t)); fault.NameOf(err) != sealed.KeysSealedToOthers {
		t.Errorf("the former recipient: %v", err)
	}
}

// A record that somebody removes during a session is created again, and encrypted.
func encryptedAndRemoved(t *testing.T, b Backend) {
	kms := NewRecipient("kms")
	s := with(t, b.Open, kms)
	check(t, s.Preflight(within(t)))
	session := begin(t, s, "holder")
	check(t, session.UpdateKeys(within(t), setHashKey("first-hash-key")))
	b.Remove(t, Keys)
	kms.Fail(kms.Away())
	check(t, session.Deliver(within(t), setHashKey("second-hash-key")))
	if text := string(b.Planted(t, Keys)); strings.Contains(text, "hash-key") {
		t.Errorf("it was created again in clear: %s", text)
	}
	kms.Fail(nil)
	if keys, _ := readKeys(t, with(t, b.Open, kms)); keys.HashKey.Reveal() != "second-hash-key" {
		t.Errorf("it opens to %+v", keys)
	}
	b.Plant(t, Keys, []byte(`{"version":3}`))
	if _, err := fencing.Begin(within(t), unleased{b.Open(t)}, LeaseOptions("next")); fault.NameOf(err) != wire.RecordLater {
		t.Errorf("a record of version 3: %v", err)
	}
}
