package states

import (
	"log/slog"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// TestCredentialLogin distinguishes a credential that Vault refuses, which nothing but a person changes, from
// a Vault that does not answer.
func TestCredentialLogin(t *testing.T) {
	server := vaulttest.New(t)
	server.Logins["vb-ceremony/login"] = func(credential map[string]any) string {
		if credential["secret_id"] == "right" {
			server.Tokens["t"] = &vaulttest.Token{Accessor: "a"}
			return "t"
		}
		return ""
	}
	logIn := CredentialLogin(server.Cluster, "vb", slog.New(slog.DiscardHandler))
	if session, _, err := logIn(t.Context(), server.Address, store.Keys{}); session != nil || err != nil {
		t.Errorf("without a credential: %v", err)
	}
	keys := store.Keys{Ceremony: &store.AppRole{RoleID: "r", SecretID: secret.New("wrong")}}
	if _, _, err := logIn(t.Context(), server.Address, keys); fault.KindOf(err) != fault.Usage {
		t.Errorf("refused: %v (%v)", err, fault.KindOf(err))
	}
	if _, _, err := logIn(t.Context(), "http://127.0.0.1:1", keys); err == nil || fault.KindOf(err) != fault.Transient {
		t.Errorf("no answer: %v (%v)", err, fault.KindOf(err))
	}
	keys.Ceremony.SecretID = secret.New("right")
	session, end, err := logIn(t.Context(), server.Address, keys)
	if err != nil || session == nil {
		t.Fatal(err)
	}
	if end(t.Context()); len(server.Tokens) > 0 {
		t.Errorf("left are %v", server.Tokens)
	}
}
