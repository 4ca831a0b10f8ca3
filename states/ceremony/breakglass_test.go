package ceremony

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// rootVault also generates root tokens from key shares. The tokens live in a server.
type rootVault struct {
	*fakeVault
	server  *vaulttest.Server
	attempt *vault.RootAttempt
	key     string
	given   []secret.Value
	closed  error // what the endpoint answers
	mute    bool  // the answer with the token is lost
}

func (v *rootVault) Address() string { return v.server.Address }

func (v *rootVault) RootAttempt(context.Context, vault.Endpoints) (vault.RootAttempt, error) {
	if v.attempt == nil {
		return vault.RootAttempt{}, v.closed
	}
	return *v.attempt, v.closed
}

func (v *rootVault) BeginRoot(_ context.Context, _ vault.Endpoints, key string) (vault.RootAttempt, error) {
	content, err := decode(key)
	if err != nil {
		return vault.RootAttempt{}, err
	}
	v.key, v.given = key, nil
	v.attempt = &vault.RootAttempt{Started: true, Nonce: "nonce", Required: v.threshold, Fingerprint: content.Fingerprint}
	return *v.attempt, nil
}

func (v *rootVault) GiveRoot(_ context.Context, _ vault.Endpoints, _ string, share secret.Value) (vault.RootAttempt, error) {
	v.given = append(v.given, share)
	if len(v.given) < v.threshold {
		return vault.RootAttempt{Started: true}, nil
	}
	v.attempt = nil
	if slices.ContainsFunc(v.given, func(share secret.Value) bool { return !v.inForce(share) }) {
		return vault.RootAttempt{}, answer(http.StatusBadRequest, "root generation aborted")
	}
	v.server.Tokens["made"] = &vaulttest.Token{Accessor: "of made", Policies: []string{"root"}, Orphan: true, Path: rootPath, Created: time.Unix(1e9+1, 0)}
	if v.mute {
		return vault.RootAttempt{}, errors.New("cut off")
	}
	token, err := pgp.Encrypt(v.key, "made")
	return vault.RootAttempt{Complete: true, Token: token}, err
}

func (v *rootVault) CancelRoot(context.Context, vault.Endpoints) error {
	v.attempt = nil
	return nil
}

// newRootVault returns a Vault that generates root tokens, and a BreakGlass of it.
func newRootVault(t *testing.T) (*bench, *rootVault, *BreakGlass) {
	t.Helper()
	b := newBench(t)
	v := &rootVault{fakeVault: b.vault, server: vaulttest.New(t)}
	b.admin.Cluster.Replicas[0], b.admin.Dialer = v, v.server.Cluster
	return b, v, NewBreakGlass(b.admin, 4)
}

func TestBreakGlass(t *testing.T) {
	b, v, breakGlass := newRootVault(t)
	address, token, err := breakGlass.Make(t.Context(), Emergency{Reason: "INC-1"})
	if err != nil || token.Reveal() != "made" || address != v.server.Address || !breakGlass.Active() {
		t.Fatalf("made %v at %q: %v", !token.Empty(), address, err)
	}
	record := b.records.keys.RootGrant
	if record == nil || !record.Token.Equal(token) || record.Accessor != "of made" || record.Reason != "INC-1" || record.Finishing.IsZero() || !breakGlass.InUse(record.ID) {
		t.Errorf("on record is %+v", record)
	}
	view, ok, err := breakGlass.View(address)
	if err != nil || !ok || breakGlass.Behind(view) == nil {
		t.Errorf("no view with it: %v", err)
	}
	if err := breakGlass.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := breakGlass.End(t.Context()); err != nil {
		t.Errorf("ending it twice: %v", err)
	}
	if len(v.server.Tokens) > 0 || b.records.keys.RootGrant != nil || breakGlass.Active() || len(b.notes) != 2 {
		t.Errorf("left are %v and %+v; notified %q", v.server.Tokens, b.records.keys.RootGrant, b.notes)
	}
}

func TestBreakGlassRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(b *bench, v *rootVault)
		kind  fault.Kind
	}{
		"no keys are stored":           {func(b *bench, _ *rootVault) { b.records.keys.Set = nil }, fault.Usage},
		"somebody else generates one":  {func(_ *bench, v *rootVault) { v.attempt = &vault.RootAttempt{Started: true, Fingerprint: "theirs"} }, fault.Busy},
		"the endpoint is closed":       {func(_ *bench, v *rootVault) { v.closed = answer(http.StatusMethodNotAllowed, "") }, fault.Terminal},
		"Vault requires a token first": {func(_ *bench, v *rootVault) { v.closed = answer(http.StatusBadRequest, "missing client token") }, fault.Terminal},
		"the shares are not Vault's":   {func(_ *bench, v *rootVault) { v.shares = sharesOf('x', 5) }, fault.Usage},
	} {
		b, v, breakGlass := newRootVault(t)
		test.spoil(b, v)
		if _, _, err := breakGlass.Make(t.Context(), Emergency{Reason: "INC-1"}); err == nil || fault.KindOf(err) != test.kind {
			t.Errorf("%s: %v (%v)", name, err, fault.KindOf(err))
		}
		if breakGlass.Active() || len(v.server.Tokens) > 0 {
			t.Errorf("%s: left are %v", name, v.server.Tokens)
		}
	}
}

// TestBreakGlassThatWasKilled ends what a killed break-glass leaves behind, however far it has
// come.
func TestBreakGlassThatWasKilled(t *testing.T) {
	for name, test := range map[string]struct {
		left store.RootGrant
		with func(v *rootVault)
	}{
		"before the attempt": {store.RootGrant{ID: "g"}, func(*rootVault) {}},
		"during the attempt": {store.RootGrant{ID: "g", Fingerprint: "ours"}, func(v *rootVault) { v.attempt = &vault.RootAttempt{Started: true, Fingerprint: "ours"} }},
		"with the token":     {store.RootGrant{ID: "g", Token: secret.New("made")}, func(v *rootVault) { v.server.Tokens["made"] = &vaulttest.Token{Accessor: "of made"} }},
		"with a dead token":  {store.RootGrant{ID: "g", Token: secret.New("made")}, func(*rootVault) {}},
	} {
		b, v, breakGlass := newRootVault(t)
		b.records.keys.RootGrant = &test.left
		test.with(v)
		if err := breakGlass.Sweep(t.Context(), v.server.Address, b.records.keys); err != nil || b.records.keys.RootGrant != nil || v.attempt != nil || len(v.server.Tokens) > 0 {
			t.Errorf("%s: %v, left are %+v, %v", name, err, b.records.keys.RootGrant, v.server.Tokens)
		}
	}
}

// TestLostRootToken finds the token that Vault created although nobody has seen its answer.
func TestLostRootToken(t *testing.T) {
	b, v, breakGlass := newRootVault(t)
	v.mute = true
	if _, _, err := breakGlass.Make(t.Context(), Emergency{Reason: "INC-1"}); err == nil {
		t.Fatal("a lost answer is not a failure")
	}
	if b.records.keys.RootGrant == nil || len(v.server.Tokens) != 1 {
		t.Fatalf("on record is %+v, alive are %v", b.records.keys.RootGrant, v.server.Tokens)
	}
	v.server.Tokens["own"] = &vaulttest.Token{Accessor: "of own", Orphan: true}
	v.server.Tokens["old"] = &vaulttest.Token{Accessor: "of old", Policies: []string{"root"}, Path: rootPath, Created: time.Unix(1e8, 0)}
	session, err := v.server.Cluster.Session(v.server.Address, secret.New("own"))
	if err != nil {
		t.Fatal(err)
	}
	if err := breakGlass.Search(t.Context(), session, b.records.keys); err != nil {
		t.Fatal(err)
	}
	if v.server.Tokens["made"] != nil || v.server.Tokens["old"] == nil || b.records.keys.RootGrant != nil {
		t.Errorf("alive are %v", v.server.Tokens)
	}
}

func TestRevokeForeign(t *testing.T) {
	b, v, breakGlass := newRootVault(t)
	v.server.Tokens["own"] = &vaulttest.Token{Accessor: "of own", Orphan: true}
	v.server.Tokens["theirs"] = &vaulttest.Token{Accessor: "of theirs", Policies: []string{"root"}}
	v.server.Tokens["app"] = &vaulttest.Token{Accessor: "of app"}
	ended := false
	logIn := func(_ context.Context, address string, _ store.Keys) (*vault.Session, func(context.Context), error) {
		session, err := v.server.Cluster.Session(address, secret.New("own"))
		return session, func(context.Context) { ended = true }, err
	}
	dead, err := breakGlass.RevokeForeign(t.Context(), logIn)
	if err != nil || len(dead) != 1 || dead[0].Accessor != "of theirs" || !ended || len(v.server.Tokens) != 2 {
		t.Errorf("revoked %v, %v; alive are %v", dead, err, v.server.Tokens)
	}
	b.records.keys.Root = &store.Root{}
	if _, err := breakGlass.RevokeForeign(t.Context(), logIn); fault.KindOf(err) != fault.Usage {
		t.Errorf("in the first run: %v", err)
	}
}
