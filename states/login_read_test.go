package states

import (
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// TestReadOnlyChangesNothing looks for a grant that writes in the policy of the role
// that only reads.
func TestReadOnlyChangesNothing(t *testing.T) {
	b := declaring("vb", Kubernetes{Mount: "kubernetes", RoleName: "vb"})
	if err := b.Declare([]object.Object{object.Policy("app", `path "kv/*" { capabilities = ["read"] }`), object.SecretsMount("kv", "kv", nil)}); err != nil {
		t.Fatal(err)
	}
	text := b.ReadPolicyText()
	questions := []string{"sys/capabilities-self", "auth/token/revoke-self", "auth/token/lookup-accessor"}
	for block := range strings.SplitSeq(text, "}\n") {
		asks := false
		for _, path := range questions {
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
	if own := b.PolicyText(); !strings.Contains(own, "path \"auth/kubernetes/role/vb-read\" {\n  capabilities = [\"read\"]") {
		t.Errorf("our own policy may write the role that reads:\n%s", own)
	}
	b.ReadsOnly = true
	var roles []string
	for _, way := range b.ways() {
		roles = append(roles, way.Login.(Kubernetes).RoleName)
	}
	if !slices.Equal(roles, []string{"vb-read", "vb"}) {
		t.Errorf("looking logs in as %q", roles)
	}
}

func TestReadOnlyHasNoSecondCredential(t *testing.T) {
	b := declaring("vb", AppRole{Mount: "approle", RoleName: "vb"})
	if err := b.Declare(nil); err != nil {
		t.Fatal(err)
	}
	if text := b.ReadPolicyText(); text != "" {
		t.Errorf("AppRole has a policy for a role that nobody can log in with:\n%s", text)
	}
}

// declaring returns a bootstrap that knows how it logs in, and nothing else.
func declaring(name string, login Login) *Bootstrap {
	access := &Access{Setting: &Setting{Name: name}, Login: login}
	return New(&Cluster{}, NewObserver(access, nil, nil), access)
}
