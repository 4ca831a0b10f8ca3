package states

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// TestReadOnlyChangesNothing searches the policy of the role that only reads for a grant to write.
func TestReadOnlyChangesNothing(t *testing.T) {
	desired := desiredOf(t, login.Kubernetes{Mount: "kubernetes", RoleName: "vb"}, Declaration{
		Objects: []object.Object{object.Policy("app", `path "kv/*" { capabilities = ["read"] }`), object.SecretsMount("kv", "kv", nil)},
	})
	text := desired.ReadPolicyText()
	queries := []string{"sys/capabilities-self", "auth/token/revoke-self", "auth/token/lookup-accessor"}
	for block := range strings.SplitSeq(text, "}\n") {
		asks := false
		for _, path := range queries {
			asks = asks || strings.Contains(block, `"`+path+`"`)
		}
		for _, write := range []string{`"create"`, `"update"`, `"patch"`, `"delete"`} {
			if strings.Contains(block, write) && !asks {
				t.Errorf("the policy that only reads writes:\n%s", block)
			}
		}
	}
	for _, path := range []string{`"sys/policies/acl/*"`, `"sys/mounts"`, `"auth/token/accessors/"`, `"sys/audit"`} {
		if !strings.Contains(text, "path "+path) {
			t.Errorf("the policy does not let us read %s:\n%s", path, text)
		}
	}
	if own := desired.PolicyText(true); !strings.Contains(own, "path \"auth/kubernetes/role/vb-read\" {\n  capabilities = [\"read\"]") {
		t.Errorf("our own policy may write the role that reads:\n%s", own)
	}
}

func TestReadOnlyHasNoSecondCredential(t *testing.T) {
	desired := desiredOf(t, login.AppRole{Mount: "approle", RoleName: "vb"}, Declaration{})
	if text := desired.ReadPolicyText(); text != "" {
		t.Errorf("AppRole has a policy for a role that nobody can log in with:\n%s", text)
	}
}

// desiredOf returns the desired state for a declaration where later runs log in by method.
func desiredOf(t *testing.T, method login.Method, declaration Declaration) *Desired {
	t.Helper()
	desired, err := NewDesired("vb", login.Chain{method}, declaration)
	if err != nil {
		t.Fatal(err)
	}
	return desired
}
