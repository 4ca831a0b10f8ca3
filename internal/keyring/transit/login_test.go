package transit_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// stub is a server with namespaces, which refuses on command. test/e2e has real ones.
type stub struct {
	*testing.T
	asked []string
	// login answers the login; nil lets it in.
	login http.HandlerFunc
	// accessor is that of the tokens; empty for a batch token.
	accessor string
	now      time.Time
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.asked = append(s.asked, r.Header.Get("X-Vault-Namespace")+":"+path)
	if login := path == "auth/k8s/login"; login != (r.Header.Get("X-Vault-Token") == "") {
		s.Errorf("%s is asked with the token %q", path, r.Header.Get("X-Vault-Token"))
	}
	switch path {
	case "auth/k8s/login":
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["role"] != "vb" || body["jwt"] != "hunter2" {
			s.Errorf("the login is %v, %v", body, err)
		}
		if s.login != nil {
			s.login(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `{"auth": {"client_token": "hvs.x", "accessor": %q}}`, s.accessor)
	case "team/transit/decrypt/k":
		_, _ = fmt.Fprintf(w, `{"data": {"plaintext": %q}}`, base64.StdEncoding.EncodeToString([]byte(keyringtest.Key.Reveal())))
	case "team/transit/encrypt/k":
		_, _ = fmt.Fprint(w, `{"data": {"ciphertext": "vault:v3:AAAA"}}`)
	case "auth/token/revoke-self":
		w.WriteHeader(http.StatusNoContent)
	default:
		s.Errorf("it is asked for %s", path)
	}
}

func (s *stub) open(settles time.Duration) *transit.Recipient {
	s.Helper()
	server := httptest.NewServer(s)
	s.Cleanup(server.Close)
	form, err := keyring.Parse("transit:" + server.URL + "/team/transit/k")
	if err != nil {
		s.Fatal(err)
	}
	recipient, err := transit.New(form, transit.Access{Login: &transit.Login{
		Method: "kubernetes", Path: "k8s/login", Namespace: "team", Settles: settles, Now: func() time.Time { return s.now },
		Credential: func(context.Context) (map[string]secret.Value, error) {
			return map[string]secret.Value{"role": secret.New("vb"), "jwt": secret.New("hunter2")}, nil
		},
	}})
	if err != nil {
		s.Fatal(err)
	}
	return recipient
}

func (s *stub) wantAsked(what string, want ...string) {
	s.Helper()
	if !slices.Equal(s.asked, want) {
		s.Errorf("%s: it is asked %q, want %q", what, s.asked, want)
	}
	s.asked = nil
}

const (
	login  = "team:auth/k8s/login"
	revoke = "team:auth/token/revoke-self"
)

// TestLoginInANamespace logs in and revokes in the namespace of the auth method, once for each operation.
func TestLoginInANamespace(t *testing.T) {
	s := &stub{T: t, accessor: "a"}
	recipient := s.open(0)
	wrapped, version := keyringtest.Wrap(t, recipient)
	if version != "3" {
		t.Errorf("the version is %q", version)
	}
	s.wantAsked("wrapping", login, ":team/transit/decrypt/k", ":team/transit/encrypt/k", revoke)
	keyringtest.Opens(t, recipient, wrapped)
	s.wantAsked("unwrapping", login, ":team/transit/decrypt/k", revoke)
	s.accessor = ""
	keyringtest.Opens(t, recipient, wrapped)
	s.wantAsked("with a batch token", login, ":team/transit/decrypt/k")
	if warning := recipient.Warning(); warning != "" {
		t.Errorf("it warns: %s", warning)
	}
}

// TestLoginRefused is transient until the refusal has lasted, and anew after a login that was let in.
func TestLoginRefused(t *testing.T) {
	s := &stub{T: t, accessor: "a", now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	recipient := s.open(15 * time.Second)
	refuse := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{text}})
		}
	}
	wrapped, _ := keyringtest.Wrap(t, recipient)
	for _, test := range []struct {
		after  time.Duration
		answer http.HandlerFunc
		reason keyring.Reason
		kind   fault.Kind
		says   string
	}{
		{0, refuse(403, "permission denied"), keyring.Expired, fault.Transient, "logging in by kubernetes at auth/k8s/login: permission denied"},
		{14 * time.Second, refuse(400, "invalid role name \"vb\""), keyring.Expired, fault.Transient, "invalid role name"},
		{2 * time.Second, refuse(403, "permission denied"), keyring.Expired, fault.Terminal, "permission denied"},
		{0, refuse(400, "what is hunter2"), keyring.Expired, fault.Terminal, "not repeated"},
		{0, refuse(404, ""), keyring.Expired, fault.Terminal, "kubernetes"},
		{0, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"data": {}}`) }, keyring.Unreachable, fault.Transient, "without a token"},
		{0, nil, "", 0, ""},
		{time.Hour, refuse(403, "permission denied"), keyring.Expired, fault.Transient, "permission denied"},
		{time.Hour, refuse(503, "Vault is sealed"), keyring.Unreachable, fault.Transient, "Vault is sealed"},
	} {
		s.now, s.login = s.now.Add(test.after), test.answer
		got, err := recipient.Unwrap(t.Context(), wrapped, keyringtest.About)
		if test.answer == nil {
			if err != nil {
				t.Errorf("let in: %v", err)
			}
			continue
		}
		if !errors.Is(err, test.reason) || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) || fault.RemedyOf(err) == "" || !got.Empty() {
			t.Errorf("%v of kind %s, want %s: %q", err, fault.KindOf(err), test.kind, test.says)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("it shows the credential: %v", err)
		}
	}
}

// TestTokenIsRevokedAfterAll revokes the token of an operation that was cancelled.
func TestTokenIsRevokedAfterAll(t *testing.T) {
	s := &stub{T: t, accessor: "a"}
	recipient := s.open(0)
	wrapped, _ := keyringtest.Wrap(t, recipient)
	s.asked = nil
	ctx, cancel := context.WithCancel(t.Context())
	s.login = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"auth": {"client_token": "hvs.x", "accessor": "a"}}`)
	}
	stop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "decrypt") {
			cancel()
			panic(http.ErrAbortHandler)
		}
		s.ServeHTTP(w, r)
	}))
	defer stop.Close()
	form, _ := keyring.Parse("transit:" + stop.URL + "/team/transit/k")
	cut, err := transit.New(form, transit.Access{Login: &transit.Login{
		Method: "kubernetes", Path: "k8s/login", Namespace: "team", Now: time.Now,
		Credential: func(context.Context) (map[string]secret.Value, error) {
			return map[string]secret.Value{"role": secret.New("vb"), "jwt": secret.New("hunter2")}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cut.Unwrap(ctx, wrapped, keyringtest.About); !errors.Is(err, keyring.Unreachable) {
		t.Errorf("cancelled: %v", err)
	}
	s.wantAsked("cancelled", login, revoke)
}
