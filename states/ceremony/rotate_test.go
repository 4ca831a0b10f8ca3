package ceremony

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

var into = Exchange{Into: KeySplit{Shares: 3, Threshold: 2}}

func TestRotate(t *testing.T) {
	b := newBench(t)
	set, err := b.admin.Rotate(t.Context(), into)
	if err != nil {
		t.Fatal(err)
	}
	keys := b.records.keys
	if !slices.EqualFunc(set.Shares, b.vault.shares, secret.Value.Equal) || !slices.EqualFunc(keys.Set.Shares, b.vault.shares, secret.Value.Equal) {
		t.Error("what is stored is not what is in force")
	}
	if keys.Rotation != nil || len(keys.Old) != 1 || keys.Set.Threshold != 2 || keys.Set.ClusterID != "c1" {
		t.Errorf("the record is %+v", keys)
	}
	if len(b.notes) != 1 {
		t.Errorf("operators were notified of %q", b.notes)
	}
}

func TestRotateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(b *bench)
		kind  fault.Kind
	}{
		"no keys are stored":           {func(b *bench) { b.records.keys.Set = nil }, fault.Usage},
		"nobody is active":             {func(b *bench) { b.vault.code = http.StatusServiceUnavailable }, fault.Transient},
		"another cluster":              {func(b *bench) { b.records.keys.Set.ClusterID = "c2" }, fault.Terminal},
		"the endpoint is closed":       {func(b *bench) { b.vault.noRekey = answer(http.StatusMethodNotAllowed, "") }, fault.Terminal},
		"somebody else is rekeying":    {func(b *bench) { b.vault.rekey = &fakeRekey{nonce: "theirs"} }, fault.Usage},
		"it would take effect at once": {func(b *bench) { b.vault.unchecked = true }, fault.Terminal},
		"the shares are not Vault's":   {func(b *bench) { b.vault.shares = sharesOf('x', 5) }, fault.Usage},
		"their owners hold the shares": {func(b *bench) { b.records.keys.Set.Shares = nil }, fault.Usage},
		"Vault cannot be asked":        {func(b *bench) { b.vault.noRekey = errors.New("cut off") }, fault.Transient},
	} {
		b := newBench(t)
		test.spoil(b)
		theirs := b.vault.rekey
		_, err := b.admin.Rotate(t.Context(), into)
		if err == nil || fault.KindOf(err) != test.kind {
			t.Errorf("%s: %v (%v)", name, err, fault.KindOf(err))
		}
		if b.records.keys.Rotation != nil || b.vault.rekey != theirs {
			t.Errorf("%s: something is left: %+v, %+v", name, b.records.keys.Rotation, b.vault.rekey)
		}
	}
}

// TestSettleRotation cuts a rotation off at each of its steps, and checks which shares are then
// marked as in force.
func TestSettleRotation(t *testing.T) {
	for name, test := range map[string]struct {
		cut  func(b *bench)
		want []secret.Value
		old  int
	}{
		"nothing but the intent":        {func(b *bench) { b.records.keys.Rotation.Set = nil }, sharesOf('a', 5), 0},
		"the new ones are not in force": {func(*bench) {}, sharesOf('a', 5), 0},
		"the new ones are in force":     {func(b *bench) { b.vault.shares, b.vault.threshold = sharesOf('n', 3), 2 }, sharesOf('n', 3), 1},
		"Vault still waits for them":    {func(b *bench) { b.vault.rekey = &fakeRekey{nonce: "ours"} }, sharesOf('a', 5), 0},
	} {
		b := newBench(t)
		b.records.keys.Rotation = &store.Rotation{ID: "r1", Nonce: "ours", Set: &store.KeySet{Kind: store.UnsealKeys, Shares: sharesOf('n', 3), Threshold: 2}}
		test.cut(b)
		keys, err := b.admin.SettleRotation(t.Context(), b.vault, b.records.keys, secret.Value{})
		if err != nil || keys.Rotation != nil || !slices.EqualFunc(keys.Set.Shares, test.want, secret.Value.Equal) || len(keys.Old) != test.old {
			t.Errorf("%s: %v, %d old, rotation %+v", name, err, len(keys.Old), keys.Rotation)
		}
		if b.vault.rekey != nil {
			t.Errorf("%s: a rekey is left", name)
		}
	}
}

// A rotation of ours is on record, and the rekey in progress is somebody else's.
func TestSettleRotationLeavesOthersAlone(t *testing.T) {
	b := newBench(t)
	theirs := &fakeRekey{nonce: "theirs"}
	b.vault.rekey = theirs
	b.records.keys.Rotation = &store.Rotation{ID: "r1", Nonce: "ours"}
	keys, err := b.admin.SettleRotation(t.Context(), b.vault, b.records.keys, secret.Value{})
	if err != nil || keys.Rotation != nil || b.vault.rekey != theirs {
		t.Errorf("settled: %v, rotation %+v, rekey %+v", err, keys.Rotation, b.vault.rekey)
	}
}

// Vault goes on with the present shares until the new ones were seen in the record.
func TestRotateReadsNewSharesBack(t *testing.T) {
	b := newBench(t)
	b.records.loses = true
	if _, err := b.admin.Rotate(t.Context(), into); err == nil {
		t.Error("shares that were not stored are in force")
	}
	if !slices.EqualFunc(b.vault.shares, sharesOf('a', 5), secret.Value.Equal) || b.vault.rekey != nil || b.records.keys.Rotation != nil {
		t.Errorf("left are the rekey %+v and the rotation %+v", b.vault.rekey, b.records.keys.Rotation)
	}
}

func TestSettleRotationFindsForeignShares(t *testing.T) {
	b := newBench(t)
	b.vault.shares = sharesOf('x', 5)
	b.records.keys.Rotation = &store.Rotation{ID: "r1", Set: &store.KeySet{Kind: store.UnsealKeys, Shares: sharesOf('n', 5), Threshold: 3}}
	if _, err := b.admin.SettleRotation(t.Context(), b.vault, b.records.keys, secret.Value{}); fault.NameOf(err) != fsm.NameForeignCluster {
		t.Errorf("settled with %v", err)
	}
}

// TestRotateFromCustodians has custodians give the present shares.
func TestRotateFromCustodians(t *testing.T) {
	b := newBench(t)
	b.records.keys.Set.Custody = []store.CustodyShare{{Owner: "alice"}, {Fingerprint: "F2"}}
	b.records.keys.Set.Shares = nil
	exchange := into
	exchange.Ask = func(_ context.Context, need ShareNeed) ([]secret.Value, error) {
		if need.Count != 3 || !slices.Equal(need.Owners, []string{"alice", "F2"}) {
			t.Errorf("asks for %+v", need)
		}
		return sharesOf('a', 3), nil
	}
	if _, err := b.admin.Rotate(t.Context(), exchange); err != nil {
		t.Fatal(err)
	}
	if b.records.keys.Set.Custody != nil || len(b.records.keys.Set.Shares) != 3 {
		t.Errorf("stored: %+v", b.records.keys.Set)
	}
}

// TestRotateToCustodians stores the new shares for their owners, who give them back in a second
// call: only then are they in force.
func TestRotateToCustodians(t *testing.T) {
	b := newBench(t)
	exchange := into
	var private []secret.Value
	for range 3 {
		pair, err := pgp.Generate("owner", time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		exchange.Into.Custodians = append(exchange.Into.Custodians, pgp.Public{Owner: "owner", Key: pair.Public, Fingerprint: pair.Fingerprint})
		private = append(private, pair.Private)
	}
	if _, err := b.admin.Rotate(t.Context(), exchange); fault.KindOf(err) != fault.Usage || b.records.keys.Rotation == nil {
		t.Fatalf("without the new shares: %v", err)
	}
	if !slices.EqualFunc(b.vault.shares, sharesOf('a', 5), secret.Value.Equal) {
		t.Fatal("the new shares are in force before they were given back")
	}
	again := Exchange{AskNew: func(_ context.Context, need ShareNeed) ([]secret.Value, error) {
		var opened []secret.Value
		for i, share := range b.records.keys.Rotation.Set.Custody[:need.Count] {
			value, err := OpenShare(private[i], share.Message)
			if err != nil {
				return nil, err
			}
			opened = append(opened, value)
		}
		return opened, nil
	}}
	set, err := b.admin.Rotate(t.Context(), again)
	if err != nil || len(set.Custody) != 3 || b.records.keys.Rotation != nil || !slices.EqualFunc(b.vault.shares, sharesOf('n', 3), secret.Value.Equal) {
		t.Errorf("rotated to %+v: %v", set, err)
	}
}

// TestRotationThatCannotBeSeen keeps every set while the server does not show whether it waits for
// the shares of operators.
func TestRotationThatCannotBeSeen(t *testing.T) {
	b := newBench(t)
	left := &store.Rotation{ID: "r", Nonce: "nonce", Set: &store.KeySet{Threshold: 2, Custody: make([]store.CustodyShare, 3)}}
	b.records.keys.Set = &store.KeySet{Kind: store.UnsealKeys, Threshold: 3, Custody: make([]store.CustodyShare, 5)}
	b.records.keys.Rotation, b.vault.noRekey = left, answer(http.StatusForbidden, "permission denied")
	keys, err := b.admin.SettleRotation(t.Context(), b.vault, b.records.keys, secret.Value{})
	if err != nil || keys.Rotation != left || b.records.writes > 0 {
		t.Errorf("settled with %v: on record is %+v", err, keys.Rotation)
	}
}
