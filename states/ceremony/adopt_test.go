package ceremony

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// lettingIn is our own login where an earlier installation of ours has set it up.
func lettingIn(context.Context, string, store.Keys) (bool, string, error) { return true, "", nil }

func TestAdopt(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(b *bench)
		offer   shares.Material
		own     OwnLogin
		adopted bool
		kind    fault.Kind
	}{
		"by a rekey that is cancelled":      {nil, shares.Material{Unseal: sharesOf('a', 5)}, lettingIn, true, 0},
		"whose shares are others":           {nil, shares.Material{Unseal: sharesOf('x', 5)}, lettingIn, false, fault.Usage},
		"of which too few shares are given": {nil, shares.Material{Unseal: sharesOf('a', 2)}, lettingIn, false, fault.Usage},
		"that is empty":                     {func(b *bench) { b.vault.code = http.StatusNotImplemented }, shares.Material{Unseal: sharesOf('a', 5)}, lettingIn, false, fault.Usage},
		"that somebody rekeys":              {func(b *bench) { b.vault.rekey = &fakeRekey{nonce: "theirs"} }, shares.Material{Unseal: sharesOf('a', 5)}, lettingIn, false, fault.Usage},
		"without a token or a login": {nil, shares.Material{Unseal: sharesOf('a', 5)},
			func(context.Context, string, store.Keys) (bool, string, error) {
				return false, "permission denied", nil
			}, false, fault.Usage},
		"whose keys are stored already":      {func(b *bench) { b.records.keys.Set = &store.KeySet{Shares: sharesOf('a', 5)} }, shares.Material{Unseal: sharesOf('a', 5)}, nil, true, 0},
		"beside which others are stored":     {func(b *bench) { b.records.keys.Set = &store.KeySet{Shares: sharesOf('o', 5)} }, shares.Material{Unseal: sharesOf('a', 5)}, nil, false, fault.Usage},
		"whose endpoint for rekey is closed": {func(b *bench) { b.vault.noRekey = answer(http.StatusMethodNotAllowed, "") }, shares.Material{Unseal: sharesOf('a', 5)}, lettingIn, false, fault.Usage},
	} {
		b := newBench(t)
		b.records.keys.Set = nil
		if test.spoil != nil {
			test.spoil(b)
		}
		theirs := b.vault.rekey
		err := b.admin.Adopt(t.Context(), test.offer, test.own, func(err error, _ int) { t.Errorf("%s: waits for %v", name, err) })
		if (err == nil) != test.adopted || err != nil && fault.KindOf(err) != test.kind {
			t.Errorf("a Vault %s: %v (%v)", name, err, fault.KindOf(err))
		}
		if stored := b.records.keys.Set; test.adopted && (stored == nil || !slices.EqualFunc(stored.Shares, sharesOf('a', 5), secret.Value.Equal)) {
			t.Errorf("a Vault %s: stored are %+v", name, stored)
		}
		if b.vault.rekey != theirs || !slices.EqualFunc(b.vault.shares, sharesOf('a', 5), secret.Value.Equal) {
			t.Errorf("a Vault %s: the proof has changed something", name)
		}
	}
}

// TestAdoptByUnsealing proves the shares at a sealed replica.
func TestAdoptByUnsealing(t *testing.T) {
	b := newBench(t)
	b.records.keys.Set, b.vault.code = nil, http.StatusServiceUnavailable
	waits := 0
	err := b.admin.Adopt(t.Context(), shares.Material{Plain: sharesOf('a', 5)}, lettingIn, func(error, int) { waits++ })
	if err != nil || b.vault.code != http.StatusOK || b.records.keys.Set.ClusterID != "c1" || waits != 1 {
		t.Errorf("%v after %d waits: %+v", err, waits, b.records.keys.Set)
	}
}

// TestAdoptWithToken looks a root token up before it is stored.
func TestAdoptWithToken(t *testing.T) {
	for name, test := range map[string]struct {
		token   *vaulttest.Token
		adopted bool
	}{
		"a root token":     {&vaulttest.Token{Accessor: "of root", Policies: []string{"root"}}, true},
		"another token":    {&vaulttest.Token{Accessor: "of app", Policies: []string{"app"}}, false},
		"one that is dead": {nil, false},
	} {
		b, v, _ := newRootVault(t)
		b.records.keys.Set = nil
		if test.token != nil {
			v.server.Tokens["given"] = test.token
		}
		err := b.admin.Adopt(t.Context(), shares.Material{Unseal: sharesOf('a', 5), Root: secret.New("given")}, nil, func(err error, _ int) { t.Errorf("%s: waits for %v", name, err) })
		if (err == nil) != test.adopted || err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
		if root := b.records.keys.Root; test.adopted && (root == nil || root.Accessor != "of root") {
			t.Errorf("%s: stored is %+v", name, root)
		}
	}
}
