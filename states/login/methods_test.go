package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

func given(text string) func() (secret.Value, error) {
	return func() (secret.Value, error) { return secret.New(text), nil }
}

// recorder records logins, and refuses them.
type recorder struct {
	Dialer // nil: panics at what a method must not do
	path   string
	body   map[string]secret.Value
	err    error
}

func (r *recorder) Login(_ context.Context, _, path string, credential map[string]secret.Value) (*vault.Session, error) {
	r.path, r.body = path, credential
	return nil, r.err
}

// TestMethods shows what each method sends, and which objects it needs.
func TestMethods(t *testing.T) {
	keys := store.Keys{AppRole: &store.AppRole{RoleID: "id", SecretID: secret.New("sid")}}
	fetch := func(context.Context) (map[string]secret.Value, error) {
		return map[string]secret.Value{"jwt": secret.New("j")}, nil
	}
	for _, test := range []struct {
		method Method
		name   string
		path   string
		body   map[string]string
		ids    []string
		reads  bool
	}{
		{AppRole{Mount: "ar", RoleName: "vb"}, "approle", "ar/login", map[string]string{"role_id": "id", "secret_id": "sid"}, []string{"auth/ar/role/vb", "sys/auth/ar"}, false},
		{Kubernetes{Mount: "k", RoleName: "vb", Token: given("j")}, "kubernetes", "k/login", map[string]string{"role": "vb", "jwt": "j"}, []string{"auth/k/config", "auth/k/role/vb", "sys/auth/k"}, true},
		{JWT{Mount: "j", RoleName: "vb", Token: given("j")}, "jwt", "j/login", map[string]string{"role": "vb", "jwt": "j"}, []string{"auth/j/role/vb", "sys/auth/j"}, true},
		{Userpass{Mount: "u", User: "vb", Password: given("p")}, "userpass", "u/login/vb", map[string]string{"password": "p"}, []string{"auth/u/users/vb", "sys/auth/u"}, false},
		{Cert{Mount: "c", RoleName: "vb", CommonName: "vb"}, "cert", "c/login", map[string]string{"name": "vb"}, []string{"auth/c/certs/vb", "sys/auth/c"}, true},
		{Identity{Method: "gcp", Mount: "g", RoleName: "vb", Fetch: fetch}, "gcp", "g/login", map[string]string{"role": "vb", "jwt": "j"}, []string{"auth/g/role/vb", "sys/auth/g"}, true},
		{Identity{Method: "azure", Mount: "a", RoleName: "vb", Fetch: fetch}, "azure", "a/login", map[string]string{"role": "vb", "jwt": "j"}, []string{"auth/a/role/vb", "sys/auth/a"}, true},
		{AWS{Mount: "w", RoleName: "vb", Sign: fetch}, "aws", "w/login", map[string]string{"role": "vb", "jwt": "j"}, []string{"auth/w/role/vb", "sys/auth/w"}, true},
	} {
		dialer := &recorder{}
		_, err := test.method.Open(t.Context(), dialer, "here", keys)
		sent := map[string]string{}
		for name, value := range dialer.body {
			sent[name] = value.Reveal()
		}
		if err != nil || dialer.path != test.path || fmt.Sprint(sent) != fmt.Sprint(test.body) {
			t.Errorf("%s logs in at %q with %v: %v", test.name, dialer.path, sent, err)
		}
		var ids []string
		for _, o := range test.method.Objects("p") {
			ids = append(ids, string(o.ID))
			if o.Stage == object.StageRoles && fmt.Sprint(o.Data["token_policies"]) != "[p]" {
				t.Errorf("%s: tokens of its role carry %v", test.name, o.Data["token_policies"])
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, test.ids) {
			t.Errorf("%s needs %q, want %q", test.name, ids, test.ids)
		}
		readers := Chain{test.method}.Readers()
		if (len(readers) == 1) != test.reads || test.reads && !strings.Contains(fmt.Sprintf("%+v", readers[0]), "vb"+ReadSuffix) {
			t.Errorf("%s reads as %+v", test.name, readers)
		}
		if test.method.Name() != test.name || !strings.HasPrefix(test.method.Flags(), "--login="+test.name) || test.method.Hint() == "" || test.method.Settles() > time.Minute {
			t.Errorf("%s describes itself as %q, %q, %q", test.name, test.method.Name(), test.method.Flags(), test.method.Hint())
		}
	}
}

func TestNoCredential(t *testing.T) {
	if _, err := (AppRole{}).Open(t.Context(), &recorder{}, "", store.Keys{}); !errors.Is(err, ErrNoCredential) {
		t.Errorf("AppRole: %v", err)
	}
}

// TestAzureRefusesWith500 recognizes a refusal that does not look like one.
func TestAzureRefusesWith500(t *testing.T) {
	fetch := func(context.Context) (map[string]secret.Value, error) { return map[string]secret.Value{}, nil }
	for _, test := range []struct {
		method, words string
		refused       bool
	}{
		{"azure", "token is expired", true},
		{"azure", "fetching keys: token is expired", false},
		{"azure", "internal error", false},
		{"gcp", "token is expired", false},
	} {
		_, err := Identity{Method: test.method, Fetch: fetch}.Open(t.Context(), &recorder{err: answered(http.StatusInternalServerError, test.words)}, "", store.Keys{})
		if Refused(err) != test.refused {
			t.Errorf("%s, %q: refused %v", test.method, test.words, Refused(err))
		}
	}
}

// TestTokenFile uses a token as it is, and does not revoke it.
func TestTokenFile(t *testing.T) {
	server := vaulttest.New(t)
	server.Tokens["lent"] = &vaulttest.Token{Accessor: "a", Policies: []string{"vb"}, Orphan: true}
	access := accessTo(server, TokenFile{Token: given("lent"), Policy: "vb"})
	if _, fresh, err := access.Ours(t.Context(), server.Address, store.Keys{}); err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	access.Close(t.Context())
	if server.Tokens["lent"] == nil || access.Kept() != nil {
		t.Error("a token that is not ours was revoked, or is kept")
	}
}
