package login

import (
	"fmt"
	"strings"
	"testing"

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
		err := b.explain(t.Context(), test.method, "", answered(403, "permission denied"))
		if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), test.never) {
			t.Errorf("%s: %v", test.method.Name(), err)
		}
	}
}

func answered(status int, words string) error {
	return fmt.Errorf("doing: %w", &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}})
}
