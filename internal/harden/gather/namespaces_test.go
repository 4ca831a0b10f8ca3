package gather_test

import (
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
)

// TestInnerNamespaces holds that namespaces are looked into at any depth, and what is found where
// that is sealed or not allowed.
func TestInnerNamespaces(t *testing.T) {
	policy := object{"policy": `path "*" { capabilities = ["read"] }`}
	api := &vault{t: t, asked: map[string]bool{}, fails: map[string]error{
		"shut/sys/mounts":           refusal{503, "namespace is sealed"},
		"foreign/sys/policies/acl":  refusal{403, "permission denied"},
		"foreign/sys/namespaces":    refusal{403, "permission denied"},
		"foreign/sys/mounts":        refusal{403, "permission denied"},
		"team/inner/sys/namespaces": refusal{405, "unsupported operation"},
	}, objects: map[string]object{
		"sys/policies/acl/app": policy, "team/sys/policies/acl/app": policy, "team/inner/sys/policies/acl/other": policy,
		"team/sys/mounts": {}, "team/inner/sys/mounts": {},
	}, names: map[string][]string{
		"sys/namespaces": {"foreign/", "shut/", "team/"}, "team/sys/namespaces": {"inner/"},
		"sys/policies/acl": {"app"}, "team/sys/policies/acl": {"app"}, "team/inner/sys/policies/acl": {"other"},
	}}
	facts := &harden.Facts{}
	if err := gather.Vault(t.Context(), api, []harden.Group{harden.GroupPolicies}, 4, facts); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, inner := range facts.Inner {
		policies, known := inner.Facts.Policies.Get()
		names := ""
		for _, each := range policies {
			names += each.Name
		}
		got = append(got, fmt.Sprint(inner.Path, " ", inner.Sealed, " ", known, " ", names))
	}
	if want := "[foreign false false  shut true false  team false true app team/inner false true other]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}
