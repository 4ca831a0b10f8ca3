package azurekv_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/azurekv"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/rest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

const (
	token = "eyJ.hunter2"
	first = "0123456789abcdef0123456789abcdef"
)

// stub answers as Azure Key Vault does, with real RSA keys, and refuses every field that it should
// not get.
type stub struct {
	*testing.T
	*httptest.Server
	// versions are the key's, and newest is the one that wraps.
	versions map[string]*rsa.PrivateKey
	newest   string
	// fails, if set, is the answer to every request.
	fails func(w http.ResponseWriter)
	// spoil, if not nil, changes an answer.
	spoil func(answer map[string]string)
}

func start(t *testing.T) *stub {
	t.Helper()
	s := &stub{T: t, versions: map[string]*rsa.PrivateKey{}}
	s.rotate(first)
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stub) rotate(version string) {
	s.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048) // the least that Key Vault has
	if err != nil {
		s.Fatal(err)
	}
	s.versions[version], s.newest = key, version
}

// recipient takes every connection to the stub, whatever the host: the form admits only Azure's.
func (s *stub) recipient() *azurekv.Recipient {
	s.Helper()
	form, err := keyring.Parse("azurekv:https://ours.vault.azure.net/keys/Vault-Keys")
	if err != nil {
		s.Fatal(err)
	}
	client := rest.NewClient()
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: "example.com"}, // which the stub's certificate is for
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
	s.Cleanup(client.CloseIdleConnections)
	return azurekv.New(form, azurekv.Access{Client: client, Token: func(_ context.Context, resource string) (secret.Value, error) {
		if resource != "https://vault.azure.net" {
			s.Errorf("a token is for %q", resource)
		}
		return secret.New(token), nil
	}})
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fails != nil {
		s.fails(w)
		return
	}
	var ask struct{ Alg, Value string }
	content := json.NewDecoder(r.Body)
	content.DisallowUnknownFields()
	if err := content.Decode(&ask); err != nil {
		s.Errorf("it is asked for what it does not know: %v", err)
	}
	if r.Method != http.MethodPost || r.Host != "ours.vault.azure.net" || r.URL.RawQuery != "api-version=7.4" || r.Header.Get("Authorization") != "Bearer "+token || ask.Alg != "RSA-OAEP-256" {
		s.Errorf("it is asked %s %s %s for %s with %v", r.Method, r.Host, r.URL, ask.Alg, r.Header)
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(ask.Value)
	if err != nil {
		s.Errorf("the value is not base64url: %v", err)
	}
	parts := strings.Split(r.URL.Path, "/") // "", keys, NAME, VERSION, METHOD
	if len(parts) != 5 || parts[1] != "keys" || parts[2] != "vault-keys" {
		s.Errorf("it is asked at %q", r.URL.Path)
		return
	}
	s.answer(w, parts[4], parts[3], value)
}

func (s *stub) answer(w http.ResponseWriter, method, version string, value []byte) {
	var result []byte
	var err error
	switch {
	case method == "wrapkey" && version == "":
		version = s.newest
		result, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &s.versions[version].PublicKey, value, nil)
	case method == "unwrapkey" && s.versions[version] != nil:
		result, err = rsa.DecryptOAEP(sha256.New(), nil, s.versions[version], value, nil)
	default:
		says(http.StatusNotFound, "KeyNotFound", "", "A key with (name/id) vault-keys/"+version+" was not found in this key vault.")(w)
		return
	}
	if err != nil {
		says(http.StatusBadRequest, "BadParameter", "", "The parameter is incorrect.")(w)
		return
	}
	answer := map[string]string{"kid": "https://ours.vault.azure.net/keys/vault-keys/" + version, "value": base64.RawURLEncoding.EncodeToString(result)}
	if s.spoil != nil {
		s.spoil(answer)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// says is an error as Key Vault writes it.
func says(status int, code, inner, message string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		failure := map[string]any{"code": code, "message": message}
		if inner != "" {
			failure["innererror"] = map[string]any{"code": inner}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"error": failure})
	}
}

// TestRecipient does what every recipient must, and opens wraps of earlier versions.
func TestRecipient(t *testing.T) {
	s := start(t)
	recipient := s.recipient()
	keyringtest.Recipient(t, recipient, 9)
	wrapped, version := keyringtest.Wrap(t, recipient)
	if version != first {
		t.Errorf("the version is %q", version)
	}
	s.rotate("fedcba9876543210fedcba9876543210")
	keyringtest.Opens(t, recipient, wrapped)
	if _, version := keyringtest.Wrap(t, recipient); version != s.newest {
		t.Errorf("after a rotation the version is %q", version)
	}
	delete(s.versions, first)
	keyringtest.UnwrapFails(t, recipient, "a version that is gone", wrapped, keyring.KeyUnknown)
}

// TestRefusals has each answer of Key Vault that a person would act on, as its documentation has it.
func TestRefusals(t *testing.T) {
	s := start(t)
	wrapped, _ := keyringtest.Wrap(t, s.recipient())
	sent := base64.RawURLEncoding.EncodeToString([]byte(keyringtest.Key.Reveal()))
	for _, test := range []struct {
		what         string
		fails        func(http.ResponseWriter)
		wrap, unwrap keyring.Reason
	}{
		{"no token", says(401, "Unauthorized", "", "AKV10032: Invalid issuer."), keyring.Expired, keyring.Expired},
		{"a role", says(403, "Forbidden", "ForbiddenByRbac", "Caller is not authorized to perform action on resource."), keyring.Refused, keyring.Refused},
		{"a firewall", says(403, "Forbidden", "ForbiddenByFirewall", "Client address is not authorized."), keyring.Refused, keyring.Refused},
		{"disabled", says(403, "Forbidden", "KeyDisabled", "Operation wrapKey is not allowed on a disabled key."), keyring.KeyDisabled, keyring.KeyDisabled},
		{"expired", says(403, "Forbidden", "KeyExpired", "Operation wrapKey is not allowed on an expired key."), keyring.KeyDisabled, keyring.KeyDisabled},
		{"not for this", says(403, "Forbidden", "KeyOperationForbidden", "Operation is not permitted on this key."), keyring.KeyUnsuitable, keyring.KeyUnsuitable},
		{"not there", says(404, "KeyNotFound", "", "A key with (name/id) vault-keys was not found."), keyring.KeyUnknown, keyring.KeyUnknown},
		{"deleted", says(409, "Conflict", "ObjectIsDeletedButRecoverable", "Key is currently in a deleted but recoverable state."), keyring.KeyDeleted, keyring.KeyDeleted},
		{"a bad type", says(400, "BadParameter", "", "Key and signing algorithm are incompatible."), keyring.KeyUnsuitable, keyring.CannotDecrypt},
		{"too many", says(429, "Throttled", "", "Request was not processed."), keyring.Unreachable, keyring.Unreachable},
		{"broken", says(503, "ServiceUnavailable", "", ""), keyring.Unreachable, keyring.Unreachable},
		{"a portal's page", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") }, keyring.Corrupted, keyring.Corrupted},
		{"elsewhere", func(w http.ResponseWriter) { w.Header().Set("Location", "http://127.0.0.1:1/"); w.WriteHeader(307) }, keyring.Unreachable, keyring.Unreachable},
		{"it quotes us", says(400, "BadParameter", "", "bad: "+sent+" "+token), keyring.KeyUnsuitable, keyring.CannotDecrypt},
	} {
		s.fails = test.fails
		keyringtest.WrapFails(t, s.recipient(), test.what, test.wrap, token)
		keyringtest.UnwrapFails(t, s.recipient(), test.what, wrapped, test.unwrap, token)
	}
}

// TestStrangeAnswers refuses the answer of another key, and one without a wrap.
func TestStrangeAnswers(t *testing.T) {
	s := start(t)
	wrapped, _ := keyringtest.Wrap(t, s.recipient())
	for what, change := range map[string]map[string]string{
		"another vault": {"kid": "https://evil.vault.azure.net/keys/vault-keys/" + first}, "another key": {"kid": "https://ours.vault.azure.net/keys/other-keys/" + first},
		"no version": {"kid": "https://ours.vault.azure.net/keys/vault-keys"}, "no wrap": {"value": ""}, "not base64": {"value": "+/"},
	} {
		s.spoil = func(answer map[string]string) {
			for name, value := range change {
				answer[name] = value
			}
		}
		keyringtest.WrapFails(t, s.recipient(), what, keyring.Corrupted)
	}
	s.spoil = func(answer map[string]string) { answer["value"] = "+/" }
	keyringtest.UnwrapFails(t, s.recipient(), "not base64", wrapped, keyring.Corrupted)
}

// TestAway has no token, and no service.
func TestAway(t *testing.T) {
	s := start(t)
	recipient := s.recipient()
	wrapped, _ := keyringtest.Wrap(t, recipient)
	form, _ := keyring.Parse(recipient.Name())
	none := azurekv.New(form, azurekv.Access{Token: func(context.Context, string) (secret.Value, error) {
		return secret.Value{}, errors.New("there is no identity")
	}})
	keyringtest.UnwrapFails(t, none, "no token", wrapped, keyring.NoCredential)
	s.Close()
	keyringtest.UnwrapFails(t, recipient, "gone", wrapped, keyring.Unreachable, token)
	keyringtest.WrapFails(t, recipient, "gone", keyring.Unreachable, token)
}
