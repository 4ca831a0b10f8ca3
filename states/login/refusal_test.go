package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// TestDeniedLogins checks that the remedy fits the login method.
func TestDeniedLogins(t *testing.T) {
	b := &Access{}
	for _, test := range []struct {
		method      Method
		says, never string
	}{
		{AppRole{Mount: "approle", RoleName: "vb"}, "no auth method is mounted at this path, or it does not accept the credential", "Kubernetes"},
		{Kubernetes{Mount: "kubernetes", RoleName: "vb"}, "system:auth-delegator", "credential"},
		{Kubernetes{Mount: "kubernetes", RoleName: "vb"}, "check --login-path", "credential"},
	} {
		err := b.explain(t.Context(), test.method, "", store.Keys{}, answered(403, "permission denied"))
		if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), test.never) {
			t.Errorf("%s: %v", test.method.Name(), err)
		}
	}
}

// TestRemediesWithoutKeys takes break-glass out of what to do, where it is not possible.
func TestRemediesWithoutKeys(t *testing.T) {
	refused := answered(400, "invalid role name \"vb\"")
	method := JWT{Mount: "jwt", RoleName: "vb"}
	shareless := store.Keys{Set: &store.KeySet{Kind: store.RecoveryKeys}}
	for name, test := range map[string]struct {
		access *Access
		keys   store.Keys
		says   string
	}{
		"with keys":             {&Access{}, store.Keys{}, "break-glass run creates it again"},
		"without recovery keys": {&Access{}, shareless, "an administrator can restore it"},
		"keys elsewhere":        {&Access{Keyless: true}, store.Keys{}, "run --token-file creates it again"},
	} {
		if err := test.access.explain(t.Context(), method, "", test.keys, refused); !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, each := range parts() {
		if text := (&Access{Keyless: true}).possible(each.remedy, store.Keys{}); strings.Contains(text, "break-glass") {
			t.Errorf("%q names break-glass", text)
		}
	}
}

func answered(status int, words string) error {
	return fmt.Errorf("doing: %w", &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}})
}
