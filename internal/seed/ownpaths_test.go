package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// TestRequestsToOurOwn refuses requests to what this program logs in with, by all the paths that
// Vault has for it.
func TestRequestsToOurOwn(t *testing.T) {
	own := []object.Object{
		object.Policy("vault-bootstrap", "x"),
		object.Policy("vault-bootstrap-read", "x"),
		object.AuthMount("team/kubernetes", "kubernetes", nil),
		object.Role("team/kubernetes", "kubernetes", "vault-bootstrap", nil),
	}
	const login = "this program itself logs in with"
	for request, refused := range map[string]bool{
		"{path: sys/policies/acl/vault-bootstrap}":                                    true,
		"{path: sys/policies/acl/vault-bootstrap, operation: delete}":                 true,
		"{path: sys/policies/acl/Vault-Bootstrap}":                                    true,
		"{path: /sys/policies/acl/vault-bootstrap}":                                   true,
		"{path: sys/policy/VAULT-bootstrap}":                                          true,
		"{path: sys/policy/vault-bootstrap-read}":                                     true,
		"{path: auth/team/kubernetes/role/vault-bootstrap}":                           true,
		"{path: auth/team/kubernetes/role/Vault-Bootstrap, operation: delete}":        true,
		"{path: auth/team/kubernetes/role/vault-bootstrap/policies}":                  true,
		"{path: sys/auth/team/kubernetes, operation: delete}":                         true,
		"{path: sys/auth/team/kubernetes/tune}":                                       true,
		"{path: sys/mounts/auth/team/kubernetes/tune}":                                true,
		"{path: sys/remount, data: {from: auth/team/kubernetes/, to: auth/k}}":        true,
		`{path: sys/remount, data: {from: '${ vault "kv/data/a" "b" }', to: auth/k}}`: true,

		"{path: sys/policies/acl/vault-bootstrap-app}":                 false,
		"{path: sys/policies/egp/vault-bootstrap}":                     false,
		"{path: sys/policies/password/vault-bootstrap}":                false,
		"{path: auth/kubernetes/role/vault-bootstrap}":                 false,
		"{path: auth/team/Kubernetes/role/vault-bootstrap}":            false,
		"{path: auth/team/kubernetes/role/app}":                        false,
		"{path: auth/team/kubernetes/config}":                          false,
		"{path: sys/auth/team/kubernetes-2, operation: delete}":        false,
		"{path: sys/mounts/team/kubernetes/tune}":                      false,
		"{path: sys/remount, data: {from: kv/team/kubernetes, to: b}}": false,
		"{path: team/sys/policies/acl/vault-bootstrap}":                false, // in a namespace of its own
	} {
		declared, _, err := loadText(t, "secrets: [{type: kv}]\nrequests:\n  - "+strings.Replace(request, "{", "{name: n, ", 1))
		if err != nil {
			t.Errorf("%s: %v", request, err)
			continue
		}
		_, err = seed.Combine(own, declared.Declared())
		if got := err != nil && strings.Contains(err.Error(), login) && strings.Contains(err.Error(), "a.yaml:3:5") && fault.KindOf(err) == fault.Seed; got != refused || err != nil && !refused {
			t.Errorf("%s: got %v, want it refused: %v", request, err, refused)
		}
	}
}
