package gather_test

import (
	"iter"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
)

// one is a seed that declares one role, which Vault always shows as declared.
type one struct{ harden.Declaration }

func (o one) At(path string) (harden.Declaration, bool) { return o.Declaration, path == o.Path }
func (o one) Requests(string) []harden.Declaration      { return nil }
func (o one) All() iter.Seq[harden.Declaration] {
	return func(yield func(harden.Declaration) bool) { yield(o.Declaration) }
}

// TestRolesAsDeclared holds that a role is open on purpose only if the seed says so of every binding
// that Vault shows.
func TestRolesAsDeclared(t *testing.T) {
	star := []any{"*"}
	for _, test := range []struct {
		name, kind      string
		declared, shown object
		open, onPurpose bool
	}{
		{"everybody", "kubernetes", object{"bound_service_account_names": "*", "bound_service_account_namespaces": star}, object{"bound_service_account_names": star, "bound_service_account_namespaces": star}, true, true},
		{"widened by others", "kubernetes", object{"bound_service_account_names": "*"}, object{"bound_service_account_names": star, "bound_service_account_namespaces": star}, true, false},
		{"bound", "kubernetes", object{"bound_service_account_names": "app"}, object{"bound_service_account_names": []any{"app"}, "bound_service_account_namespaces": star}, false, false},
		{"an omission", "jwt", object{"bound_audiences": "x"}, object{"bound_audiences": []any{"x"}}, true, false},
		{"claims of everybody", "jwt", object{"bound_claims": object{"project": "*"}}, object{"bound_claims": object{"project": "*"}}, true, true},
		{"no secret ID", "approle", object{"bind_secret_id": false}, object{"bind_secret_id": false}, true, true},
		{"no secret ID, by others", "approle", object{"token_ttl": "1h"}, object{"bind_secret_id": false}, true, false},
	} {
		path := "auth/m/role/r"
		api := &vault{
			t: t, asked: map[string]bool{}, objects: map[string]object{"sys/auth": {"m/": object{"type": test.kind}}, path: test.shown},
			names: map[string][]string{"auth/m/role": {"r"}, "sys/namespaces": nil},
		}
		declared := one{harden.Declaration{Path: path, Type: test.kind, Data: test.declared, Same: func(map[string]any) bool { return true }}}
		facts := &harden.Facts{Declared: declared}
		if err := gather.Vault(t.Context(), api, []harden.Group{harden.GroupRoles}, 1, facts); err != nil {
			t.Fatal(err)
		}
		role := known(t, facts.Roles)[0]
		if (role.Open != "") != test.open || (len(role.Declared) > 0) != test.onPurpose {
			t.Errorf("%s: open is %q, declared are %v", test.name, role.Open, role.Declared)
		}
		if roles, _ := gather.Declared(declared).Roles.Get(); test.onPurpose && (len(roles) != 1 || roles[0].Open == "" || roles[0].Path != "m/role/r") {
			t.Errorf("%s: of the seed itself: %+v", test.name, roles)
		}
	}
}
