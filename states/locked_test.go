package states

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/filestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// encryptedSite is a site whose keys record is a file that is encrypted to kms.
type encryptedSite struct {
	*site
	dir     string
	kms     *storetest.Recipient
	session *fencing.Session
}

func newEncryptedSite(t *testing.T) *encryptedSite {
	t.Helper()
	s := &encryptedSite{site: newSite(t), dir: t.TempDir(), kms: storetest.NewRecipient("kms")}
	s.restart(t, s.kms)
	return s
}

// restart is another process, which was given recipients. It holds the Lease.
func (s *encryptedSite) restart(t *testing.T, recipients ...*storetest.Recipient) {
	t.Helper()
	if s.session != nil {
		if err := s.session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	records, err := filestore.Open(s.dir, "x")
	if err == nil {
		records.Codec().Use(storetest.NewRing(recipients...))
		err = records.Preflight(t.Context())
	}
	if err == nil {
		s.session, err = fencing.Begin(t.Context(), records, storetest.LeaseOptions("me"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.session.Close() })
	replica, spooled, server := s.replica, s.site.dir, s.server
	s.site = newSite(t, func(c *Config) {
		c.Records, c.SpoolLocations = store.Reader{Store: records}, []spool.Location{spooled}
		c.Cluster.Replicas[0] = replica
		c.Access.Dialer = server.Cluster
	})
	s.replica, s.site.dir, s.server = replica, spooled, server
	s.Hold(s.session)
}

// text is the keys record as it is stored.
func (s *encryptedSite) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.dir + "/x-keys.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// noSecrets fails if the record shows what opens the Vault.
func (s *encryptedSite) noSecrets(t *testing.T) {
	t.Helper()
	text := s.text(t)
	if !strings.Contains(text, `"version":2`) {
		t.Errorf("the record is not encrypted: %s", text)
	}
	for _, share := range s.replica.shares {
		if strings.Contains(text, share.Reveal()) {
			t.Error("the record shows a key share")
		}
	}
}

func (s *encryptedSite) act(t *testing.T, event fsm.Event) error {
	t.Helper()
	return s.Acts()[event](t.Context(), s.outside(t))
}

// wantLocked checks what a run finds that cannot open the record: why, and that it calls nothing
// lost.
func (s *encryptedSite) wantLocked(t *testing.T, name string, kind fault.Kind) *Look {
	t.Helper()
	look := s.outside(t)
	if fault.NameOf(look.Locked) != name || fault.KindOf(look.Locked) != kind {
		t.Errorf("the look is locked by %v", look.Locked)
	}
	if !look.StoredKeys.Locked() {
		t.Error("the keys are open")
	}
	return look
}

// The recipient is needed before Vault is asked, and not again until the end of the process.
func TestRecipientAwayWhileInitializing(t *testing.T) {
	s := newEncryptedSite(t)
	s.kms.Fail(s.kms.Away())
	if err := s.act(t, fsm.Initialize); err != nil {
		t.Fatal(err)
	}
	s.noSecrets(t)
	if err := s.act(t, fsm.Unseal); err != nil || s.replica.code != 200 {
		t.Errorf("unsealing: %v, health %d", err, s.replica.code)
	}
	if wraps, unwraps := s.kms.Calls(); wraps != 1 || unwraps != 1 {
		t.Errorf("%d wraps and %d unwraps", wraps, unwraps)
	}
}

func TestRecipientAwayWhileSealed(t *testing.T) {
	s := newEncryptedSite(t)
	if err := s.act(t, fsm.Initialize); err != nil {
		t.Fatal(err)
	}
	s.kms.Fail(s.kms.Away())
	s.restart(t, s.kms)
	look := s.wantLocked(t, sealed.KeysUnreachable, fault.Transient)
	if state, err := fsm.Locate(look.Observation); state != fsm.Initialized || err != nil {
		t.Errorf("located: %s, %v", state, err)
	}
	for name, act := range map[string]func() error{
		"unseal":         func() error { return s.act(t, fsm.Unseal) },
		"tend":           func() error { return s.Tend(t.Context(), look) },
		"without Lease":  func() error { return s.OpenSealed(t.Context(), look) },
		"beside":         func() error { _, err := s.opener.OpenOwn(t.Context(), s.session); return err },
		"initialize":     func() error { return s.act(t, fsm.Initialize) },
		"the keys again": func() error { _, err := s.session.Keys(t.Context()); return err },
	} {
		if err := act(); fault.NameOf(err) != sealed.KeysUnreachable || !strings.Contains(err.Error(), `"kms": cannot be reached`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.replica.requests) != 1 || len(s.replica.given) != 0 {
		t.Errorf("Vault was asked to initialize %d times, and given %d shares", len(s.replica.requests), len(s.replica.given))
	}
	_, before := s.kms.Calls()
	s.kms.Fail(nil)
	if err := s.act(t, fsm.Unseal); err != nil || s.replica.code != 200 {
		t.Errorf("when the recipient is back: %v, health %d", err, s.replica.code)
	}
	if _, after := s.kms.Calls(); after != before+1 {
		t.Errorf("unsealing took %d calls", after-before)
	}
}

// An active Vault whose records cannot be opened is unsealed, and no more is known.
func TestRecipientAwayWhileOpen(t *testing.T) {
	s := newEncryptedSite(t)
	if err := s.act(t, fsm.Initialize); err != nil {
		t.Fatal(err)
	}
	if err := s.act(t, fsm.Unseal); err != nil {
		t.Fatal(err)
	}
	s.restart(t, storetest.NewRecipient("another"))
	look, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state, err := fsm.Locate(look.Observation)
	if state != fsm.Unsealed || fault.NameOf(err) != sealed.KeysSealedToOthers || fault.KindOf(err) != fault.Terminal {
		t.Errorf("located: %s, %v", state, err)
	}
}

// A process that is killed before it has stored Vault's answer is followed by one that cannot open
// the record: the answer is stored all the same, and opened later.
func TestAnswerIsStoredWithoutRecipients(t *testing.T) {
	for name, bring := range map[string]func(t *testing.T, s *encryptedSite, entry spool.Entry){
		"found in the spool": func(t *testing.T, s *encryptedSite, entry spool.Entry) {
			look := s.wantLocked(t, sealed.KeysUnreachable, fault.Transient)
			if changed, err := s.Settle(t.Context(), look); !changed || fault.NameOf(err) != "" {
				t.Errorf("settled: %v, %v", changed, err)
			}
		},
		"given by a person": func(t *testing.T, s *encryptedSite, entry spool.Entry) {
			text, err := entry.Encode()
			if err == nil {
				split := ceremony.KeySplit{}
				err = NewDelivery(s.setting, s.session, []spool.Location{s.site.dir}, split, split).Recover(t.Context(), text)
			}
			if err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEncryptedSite(t)
			entry := s.cutOff(t)
			s.kms.Fail(s.kms.Away())
			s.restart(t, s.kms)
			bring(t, s, entry)
			if left, err := os.ReadDir(string(s.site.dir)); err != nil || len(left) > 0 {
				t.Errorf("the spool holds %v, %v", left, err)
			}
			look := s.wantLocked(t, sealed.KeysUnreachable, fault.Transient)
			if look.StoredKeys.Attempt.Status != store.AttemptUnopened || look.Observation.Keys != fsm.SpooledAnswer {
				t.Errorf("the attempt is %q, the keys are %v", look.StoredKeys.Attempt.Status, look.Observation.Keys)
			}
			if _, err := fsm.Locate(look.Observation); fault.NameOf(err) != sealed.KeysUnreachable {
				t.Errorf("located: %v", err)
			}
			if changed, err := s.Settle(t.Context(), look); changed || fault.NameOf(err) != sealed.KeysUnreachable {
				t.Errorf("settled: %v, %v", changed, err)
			}
			s.kms.Fail(nil)
			if changed, err := s.Settle(t.Context(), s.outside(t)); !changed || err != nil {
				t.Errorf("when the recipient is back, settled: %v, %v", changed, err)
			}
			s.noSecrets(t)
			if err := s.act(t, fsm.Unseal); err != nil || s.replica.code != 200 {
				t.Errorf("unsealing: %v, health %d", err, s.replica.code)
			}
		})
	}
}

// cutOff initializes, and leaves the record as a process does that is killed before it has stored
// the answer.
func (s *encryptedSite) cutOff(t *testing.T) spool.Entry {
	t.Helper()
	if err := s.act(t, fsm.Initialize); err != nil {
		t.Fatal(err)
	}
	var entry spool.Entry
	err := s.session.UpdateKeys(t.Context(), func(keys *store.Keys) error {
		entry = entryOf(*keys.Attempt)
		keys.Attempt.Status, keys.Attempt.Answer, keys.Set, keys.Root = store.AttemptOpen, nil, nil, nil
		return nil
	})
	encoded, encodeErr := entry.Encode()
	if err == nil {
		err = encodeErr
	}
	if err == nil {
		err = s.site.dir.Write(entry.Attempt, encoded)
	}
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// An attempt whose answer is nowhere, in a record that cannot be opened: nobody calls the keys lost,
// deletes storage or initializes again.
func TestNothingIsLostThatIsLocked(t *testing.T) {
	for name, health := range map[string]int{"sealed": 503, "active": 200, "empty": 501} {
		for _, other := range []bool{false, true} {
			s := newEncryptedSite(t)
			entry := s.cutOff(t)
			if err := s.site.dir.Remove(entry.Attempt); err != nil {
				t.Fatal(err)
			}
			s.replica.code = health
			want, kind, given := sealed.KeysUnreachable, fault.Transient, s.kms
			s.kms.Fail(s.kms.Away())
			if other {
				want, kind, given = sealed.KeysSealedToOthers, fault.Terminal, storetest.NewRecipient("other")
			}
			s.restart(t, given)
			look := s.wantLocked(t, want, kind)
			look.Observation.UninitializedFor = fsm.SettleTime
			if state, err := fsm.Locate(look.Observation); state != "" || fault.NameOf(err) != want {
				t.Errorf("%s: located: %s, %v", name, state, err)
			}
			if err := s.act(t, fsm.Initialize); fault.NameOf(err) != want || len(s.replica.requests) != 1 {
				t.Errorf("%s: initializing: %v, asked %d times", name, err, len(s.replica.requests))
			}
		}
	}
}

// A preflight that cannot encrypt ends before Vault is asked.
func TestRecipientsAreTriedBeforehand(t *testing.T) {
	records, err := filestore.Open(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	kms := storetest.NewRecipient("kms")
	kms.Fail(kms.Away())
	records.Codec().Use(storetest.NewRing(kms))
	s := newSite(t, func(c *Config) {
		c.Preflight = func(ctx context.Context) error { return store.Ready(ctx, records) }
	})
	err = s.Acts()[fsm.Initialize](t.Context(), s.outside(t))
	if fault.NameOf(err) != sealed.KeysUnreachable || len(s.replica.requests) != 0 {
		t.Errorf("%v, asked %d times", err, len(s.replica.requests))
	}
}
