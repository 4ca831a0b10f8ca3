package login

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

func accessTo(server *vaulttest.Server, methods ...Method) *Access {
	return &Access{Dialer: server.Cluster, Methods: methods, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(1e9, 0) }}
}

// letIn makes the server issue a token to logins at path as role.
func letIn(server *vaulttest.Server, path, role, token string) {
	server.Logins[path] = func(credential map[string]any) string {
		if credential["role"] != role {
			return ""
		}
		server.Tokens[token] = &vaulttest.Token{Accessor: "of " + token, Orphan: true}
		return token
	}
}

func TestOursIsKept(t *testing.T) {
	server := vaulttest.New(t)
	letIn(server, "k/login", "vb", "own")
	access := accessTo(server, Kubernetes{Mount: "k", RoleName: "vb", Token: given("j")})
	view, fresh, err := access.Ours(t.Context(), server.Address, store.Keys{})
	if err != nil || !fresh || access.Behind(view) == nil {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	again, fresh, err := access.Ours(t.Context(), server.Address, store.Keys{})
	if err != nil || fresh || again != view {
		t.Errorf("logs in again: %v", err)
	}
	other, err := access.With(server.Address, secret.New("root"))
	if err != nil || access.Behind(other) == nil || access.Behind(vault.View{}) != nil {
		t.Errorf("a token that was given has no session: %v", err)
	}
	access.Close(t.Context())
	if len(server.Tokens) != 0 || access.Behind(view) != nil {
		t.Errorf("still alive are %v", server.Tokens)
	}
}

// TestFallsBack tries our own role where the one that only reads does not exist yet.
func TestFallsBack(t *testing.T) {
	server := vaulttest.New(t)
	letIn(server, "k/login", "vb", "own")
	access := accessTo(server, Kubernetes{Mount: "k", RoleName: "vb", Token: given("j")})
	access.ReadsOnly = true
	if _, _, err := access.Ours(t.Context(), server.Address, store.Keys{}); err != nil || access.OnlyReads() {
		t.Errorf("by our own role: %v, %v", !access.OnlyReads(), err)
	}
	letIn(server, "k/login", "vb-read", "read")
	access.Lapse()
	if _, _, err := access.Ours(t.Context(), server.Address, store.Keys{}); err != nil || !access.OnlyReads() {
		t.Errorf("by the role that only reads: %v, %v", access.OnlyReads(), err)
	}
	if err := access.Try(t.Context(), server.Address, store.Keys{}); !Refused(err) {
		t.Errorf("our own role does not exist, and %v", err)
	}
}

func TestRefusals(t *testing.T) {
	server := vaulttest.New(t)
	server.Logins["k/login"] = func(map[string]any) string { return "" }
	clock := time.Unix(1e9, 0)
	access := accessTo(server, Kubernetes{Mount: "k", RoleName: "vb", Token: given("j")}, AppRole{Mount: "ar", RoleName: "vb"})
	access.Now = func() time.Time { return clock }
	access.Clock = func(context.Context, string) (time.Time, error) { return clock.Add(-time.Hour), nil }
	_, _, err := access.Ours(t.Context(), server.Address, store.Keys{})
	if !Refused(err) || !strings.Contains(err.Error(), "1h0m0s behind ours") || !strings.Contains(err.Error(), "by approle") {
		t.Errorf("refused with %v", err)
	}
	for _, step := range []struct {
		after    time.Duration
		accepted bool
		want     bool
	}{{0, false, false}, {14 * time.Second, false, false}, {time.Second, false, true}, {time.Second, true, false}} {
		clock = clock.Add(step.after)
		if step.accepted {
			access.Accepted()
		}
		if got := access.RefusedPermanently(); got != step.want {
			t.Errorf("after %s: permanently %v", step.after, got)
		}
	}
	if fault.KindOf(Wait(err)) != fault.Transient {
		t.Errorf("waits with %v", Wait(err))
	}
	if access.Flags() != " --login=kubernetes,approle" || !strings.Contains(access.Hint(), "approle: ") {
		t.Errorf("flags %q, hint %q", access.Flags(), access.Hint())
	}
	access.Change(t.Context(), Chain{AppRole{Mount: "ar"}}, true)
	if access.Flags() != "" || access.Methods.Name() != "approle" {
		t.Errorf("flags %q of %s", access.Flags(), access.Methods.Name())
	}
}

func TestProve(t *testing.T) {
	kubernetes := Kubernetes{Mount: "k", RoleName: "vb", Token: given("j")}
	jwt := JWT{Mount: "j", RoleName: "vb", Token: given("j")}
	open := func(server *vaulttest.Server) func(context.Context, Method) (*vault.Session, error) {
		return func(ctx context.Context, method Method) (*vault.Session, error) {
			return method.Open(ctx, server.Cluster, server.Address, store.Keys{})
		}
	}
	suffices := func(context.Context, *vault.Session) error { return nil }
	weak := func(context.Context, *vault.Session) error { return errors.New("too weak") }
	for name, test := range map[string]struct {
		works    []string
		suffices func(context.Context, *vault.Session) error
		proven   bool
	}{
		"both work":      {[]string{"k/login", "j/login"}, suffices, true},
		"one works":      {[]string{"j/login"}, suffices, true},
		"none works":     {nil, suffices, false},
		"it is too weak": {[]string{"k/login"}, weak, false},
	} {
		server := vaulttest.New(t)
		server.Logins["k/login"], server.Logins["j/login"] = func(map[string]any) string { return "" }, func(map[string]any) string { return "" }
		for _, path := range test.works {
			letIn(server, path, "vb", path)
		}
		access := accessTo(server, kubernetes, jwt)
		err := access.Prove(t.Context(), server.Address, open(server), test.suffices)
		if (err == nil) != test.proven || (access.Kept() != nil) != test.proven {
			t.Errorf("%s: %v", name, err)
		}
		access.Close(t.Context())
		if len(server.Tokens) > 0 {
			t.Errorf("%s: left are %v", name, server.Tokens)
		}
	}
}

// TestCredentialIsStoredFirst checks that Vault never has a secret ID that nobody holds.
func TestCredentialIsStoredFirst(t *testing.T) {
	server := vaulttest.New(t)
	server.Tokens["root"] = &vaulttest.Token{Policies: []string{"root"}}
	server.Data["auth/ar/role/vb/role-id"] = map[string]any{"role_id": "id"}
	server.Data["auth/ar/role/vb/custom-secret-id"] = map[string]any{}
	root, err := server.Cluster.Session(server.Address, secret.New("root"))
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the record is away")
	role := AppRole{Mount: "ar", RoleName: "vb"}
	if err := role.MakeCredential(t.Context(), root, func(store.AppRole) error { return lost }); !errors.Is(err, lost) || len(server.Requests) > 0 {
		t.Errorf("not stored, but sent anyway: %v, %v", err, server.Requests)
	}
	var stored store.AppRole
	if err := role.MakeCredential(t.Context(), root, func(made store.AppRole) error { stored = made; return nil }); err != nil {
		t.Fatal(err)
	}
	if sent := server.Data["auth/ar/role/vb/custom-secret-id"]["secret_id"]; sent != stored.SecretID.Reveal() || stored.RoleID != "id" {
		t.Errorf("stored is %+v", stored)
	}
}
