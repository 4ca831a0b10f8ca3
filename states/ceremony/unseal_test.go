package ceremony

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func TestUnseal(t *testing.T) {
	rotating := &store.Rotation{ID: "r1", Set: &store.KeySet{Kind: store.UnsealKeys, Shares: sharesOf('n', 5), Threshold: 3}}
	for name, test := range map[string]struct {
		spoil   func(v *fakeVault, keys *store.Keys)
		opened  bool
		finding fsm.FindingKind
		kind    fault.Kind
	}{
		"with the stored shares":      {func(*fakeVault, *store.Keys) {}, true, "", 0},
		"after somebody's progress":   {func(v *fakeVault, _ *store.Keys) { v.progress = sharesOf('x', 1) }, true, "", 0},
		"with those of a rotation":    {func(v *fakeVault, keys *store.Keys) { v.shares, keys.Rotation = sharesOf('n', 5), rotating }, true, "", 0},
		"with others":                 {func(v *fakeVault, _ *store.Keys) { v.shares = sharesOf('x', 5) }, false, fsm.SharesRefused, 0},
		"with too few":                {func(v *fakeVault, _ *store.Keys) { v.threshold = 6 }, false, fsm.SharesRefused, 0},
		"with recovery keys":          {func(_ *fakeVault, keys *store.Keys) { keys.Set.Kind = store.RecoveryKeys }, false, fsm.SharesRefused, 0},
		"where the seal does it":      {func(v *fakeVault, _ *store.Keys) { v.recovery = true }, false, "", fault.Transient},
		"where custodians hold them":  {func(_ *fakeVault, keys *store.Keys) { keys.Set.Custody = []store.CustodyShare{{Owner: "alice"}} }, false, "", fault.Terminal},
		"that was opened by somebody": {func(v *fakeVault, _ *store.Keys) { v.code = http.StatusOK }, true, "", 0},
		"with neither of two sets":    {func(v *fakeVault, keys *store.Keys) { v.shares, keys.Rotation = sharesOf('x', 5), rotating }, false, fsm.SharesRefused, 0},
	} {
		b := newBench(t)
		b.vault.code = http.StatusServiceUnavailable
		test.spoil(b.vault, &b.records.keys)
		_, err := (&Unsealer{Log: slog.New(slog.DiscardHandler)}).Open(t.Context(), b.vault, b.records.keys)
		finding, found := errors.AsType[*fsm.Finding](err)
		switch {
		case (b.vault.code == http.StatusOK) != test.opened, (err == nil) != test.opened:
			t.Errorf("%s: opened %v, %v", name, b.vault.code == http.StatusOK, err)
		case found != (test.finding != "") || found && finding.Kind != test.finding:
			t.Errorf("%s: found %v", name, err)
		case err != nil && !found && fault.KindOf(err) != test.kind:
			t.Errorf("%s: %v (%v)", name, err, fault.KindOf(err))
		}
		if b.records.writes > 0 {
			t.Errorf("%s: a record was written", name)
		}
	}
}

// TestCustodiansKeepTheirProgress does not give our shares again to a replica that custodians have
// to open, so that what they have given stays.
func TestCustodiansKeepTheirProgress(t *testing.T) {
	b := newBench(t)
	b.vault.code, b.vault.shares = http.StatusServiceUnavailable, sharesOf('x', 5)
	b.records.keys.Rotation = &store.Rotation{ID: "r1", Set: &store.KeySet{Kind: store.UnsealKeys, Custody: []store.CustodyShare{{Owner: "alice"}}, Threshold: 3}}
	unsealer := &Unsealer{Log: slog.New(slog.DiscardHandler), WaitForUnseal: true}
	for range 2 {
		if _, err := unsealer.Open(t.Context(), b.vault, b.records.keys); fault.KindOf(err) != fault.Transient {
			t.Errorf("ends with %v", err)
		}
		b.vault.progress = sharesOf('x', 1)
	}
	if b.vault.resets > 0 {
		t.Errorf("their progress was reset %d times", b.vault.resets)
	}
}
