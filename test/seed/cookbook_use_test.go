package seed_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// login logs in and returns what Vault says about the token.
func (b *bed) login(t *testing.T, path string, in m) (token string, auth map[string]any) {
	t.Helper()
	var answer struct{ Auth map[string]any }
	if err := b.Call(t.Context(), http.MethodPost, path, "", in, &answer); err != nil {
		t.Fatal(err)
	}
	token, _ = answer.Auth["client_token"].(string)
	return token, answer.Auth
}

func holdsPolicy(t *testing.T, auth map[string]any, field, want string) {
	t.Helper()
	policies, _ := auth[field].([]any)
	if !slices.Contains(policies, any(want)) {
		t.Errorf("the token's %s are %v, not %s", field, policies, want)
	}
}

func useKubernetesApp(t *testing.T, b *bed) {
	key, _ := dig(b.call(t, "GET", "kv/data/shop/session", nil), "data > signing_key").(string)
	if len(key) != 64 {
		t.Errorf("the key has %d characters", len(key))
	}
}

func usePKI(t *testing.T, b *bed) {
	answer, err := (api{b.VaultNode, b.root}).answer(t.Context(), "pki/issue/web", m{"common_name": "shop.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := answer["ca_chain"].([]any)
	if len(chain) != 2 || !strings.Contains(fmt.Sprint(answer["certificate"]), "BEGIN CERTIFICATE") {
		t.Errorf("a chain of %d", len(chain))
	}
	var subjects []string
	for _, each := range chain {
		block, _ := pem.Decode([]byte(fmt.Sprint(each)))
		if block == nil {
			t.Fatalf("the chain holds %v", each)
		}
		issuer, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, issuer.Subject.CommonName)
	}
	if want := []string{"Example Intermediate", "Example Root"}; !slices.Equal(subjects, want) {
		t.Errorf("the chain is of %v, want %v", subjects, want)
	}
}

func useTransit(t *testing.T, b *bed) {
	secretText := base64.StdEncoding.EncodeToString([]byte("hello"))
	sealed, err := (api{b.VaultNode, b.root}).answer(t.Context(), "transit/encrypt/customers", m{"plaintext": secretText})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := (api{b.VaultNode, b.root}).answer(t.Context(), "transit/decrypt/customers", m{"ciphertext": sealed["ciphertext"]})
	if err != nil || opened["plaintext"] != secretText {
		t.Errorf("got %v, %v", opened, err)
	}
}

func useUserpass(t *testing.T, b *bed) {
	token, auth := b.login(t, "auth/userpass/login/alice", m{"password": variables["ALICE_PASSWORD"]})
	holdsPolicy(t, auth, "policies", "people")
	// The policy names the accessor: each may change their own password only.
	if _, err := (api{b.VaultNode, token}).Write(t.Context(), "auth/userpass/users/bob/password", m{"password": "x"}); !denied(err) {
		t.Errorf("another's password: got %v, want 403", err)
	}
	if _, err := (api{b.VaultNode, token}).Write(t.Context(), "auth/userpass/users/alice/password", m{"password": variables["ALICE_PASSWORD"]}); err != nil {
		t.Errorf("her own password: %v", err)
	}
}

func useAppRole(t *testing.T, b *bed) {
	id := b.call(t, "GET", "auth/ci/role/builder/role-id", nil)["role_id"]
	secretID, err := (api{b.VaultNode, b.root}).answer(t.Context(), "auth/ci/role/builder/secret-id", m{})
	if err != nil {
		t.Fatal(err)
	}
	_, auth := b.login(t, "auth/ci/login", m{"role_id": id, "secret_id": secretID["secret_id"]})
	holdsPolicy(t, auth, "policies", "ci")
}

func useSSH(t *testing.T, b *bed) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// The wire format of RFC 8709: two texts, each with its length in front.
	wire := append([]byte{0, 0, 0, 11}, "ssh-ed25519"...)
	wire = append(append(wire, 0, 0, 0, 32), public...)
	answer, err := (api{b.VaultNode, b.root}).answer(t.Context(), "ssh/sign/robots", m{"public_key": "ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire), "valid_principals": "deploy"})
	if err != nil || !strings.HasPrefix(fmt.Sprint(answer["signed_key"]), "ssh-ed25519-cert-v01@openssh.com ") {
		t.Errorf("got %v, %v", answer, err)
	}
}

func useIdentity(t *testing.T, b *bed) {
	_, auth := b.login(t, "auth/userpass/login/ada", m{"password": variables["ALICE_PASSWORD"]})
	holdsPolicy(t, auth, "identity_policies", "platform")
	holdsPolicy(t, auth, "identity_policies", "engineering") // by the group in the group
}
