package seed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
)

func TestNeedsOfTheExample(t *testing.T) {
	var b strings.Builder
	for _, g := range policy.Needs(example(t), false) {
		fmt.Fprintf(&b, "%s: %s\n", g.Path, strings.Join(g.Capabilities, " "))
	}
	golden(t, "needs.txt", b.String())
}

func TestPolicyOfTheExample(t *testing.T) {
	protected := []string{"sys/policies/acl/vault-bootstrap", "auth/approle/role/vault-bootstrap"}
	text := policy.HCL(policy.OwnGrants(example(t), false), protected)
	golden(t, "policy.hcl", text)
	if strings.Contains(text, `path "*"`) {
		t.Error("the policy allows everything")
	}
	// A seed that grows in the usual ways does not need a wider policy.
	more := append(example(t),
		object.Policy("new", "x"), object.AuthMount("new", "jwt", nil), object.AuthConfig("new", "jwt", nil),
		object.Role("new", "jwt", "r", nil), object.User("people", "bob", nil), object.SecretsMount("a/b", "kv", nil),
		object.AuditDevice("two", "file", nil), object.AuthConfig("aws", "aws", nil), object.Role("token", "token", "r", nil))
	if policy.HCL(policy.OwnGrants(more, false), protected) != text {
		t.Error("the policy grew with the seed")
	}
}

func TestPolicyOfNestedMounts(t *testing.T) {
	text := policy.HCL(policy.OwnGrants([]object.Object{
		object.Role("team/k8s", "kubernetes", "r", nil),
		object.AuthConfig("team/k8s", "kubernetes", nil),
	}, false), nil)
	for _, want := range []string{
		"path \"auth/team/k8s/role/+\" {\n  capabilities = [\"create\", \"read\", \"update\"]\n}\n",
		"path \"auth/team/k8s/config\" {\n  capabilities = [\"create\", \"read\", \"update\"]\n}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
}

func TestExplicitGrantBelowProtectedPath(t *testing.T) {
	text := policy.HCL([]policy.Grant{{Path: "auth/approle/role/me/secret-id", Capabilities: []string{"update"}}}, []string{"auth/approle/role/me"})
	want := `path "auth/approle/role/me" {
  capabilities = ["read"]
}

path "auth/approle/role/me/*" {
  capabilities = ["deny"]
}

path "auth/approle/role/me/secret-id" {
  capabilities = ["update"]
}
`
	if text != want {
		t.Errorf("got:\n%s", text)
	}
}

// BenchmarkPolicyOfManyObjects makes our own policy for a seed with many roles: a run computes it
// again each time it reads the seed. Its time per role must not grow with them.
func BenchmarkPolicyOfManyObjects(b *testing.B) {
	for _, n := range []int{1000, 16000} {
		objects := []object.Object{object.AuthMount("kubernetes", "kubernetes", nil)}
		for i := range n {
			objects = append(objects, object.Role("kubernetes", "kubernetes", fmt.Sprint("r", i), map[string]any{"audience": "vault"}))
		}
		b.Run(fmt.Sprint(n, " roles"), func(b *testing.B) {
			for b.Loop() {
				if grants := policy.OwnGrants(objects, false); len(grants) > 40 {
					b.Fatalf("%d grants", len(grants))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/role")
		})
	}
}
