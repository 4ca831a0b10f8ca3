package seed_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestOwnPolicyCoversEveryKind gives a token nothing but the program's own policy for a
// seed with every kind of object there is, has it apply and plan that, and then delete
// what the seed no longer names.
func TestOwnPolicyCoversEveryKind(t *testing.T) {
	b, digest := startWith(t)
	s := b.read(t, externalConfig, "PLUGIN_SHA256", digest)
	objects := b.resolve(t, s)
	rules := policy.HCL(policy.OwnGrants(objects, true), []string{ownPolicy, ownRole})
	token := b.token(t, "vault-bootstrap", rules)
	as := b.as(t, token)

	p, err := reconcile.NewPlan(t.Context(), as, reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reconcile.Apply(t.Context(), as, p, reconcile.Options{Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	b.memory.Hashes = result.Hashes
	p, err = reconcile.NewPlan(t.Context(), as, reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, p)

	// What is taken out goes, of every kind that can be deleted.
	pruning := parse(t, "prune: owned\n")
	gone := func(id object.ID) bool {
		return slices.ContainsFunc([]string{
			"sys/policies/acl/from_file", "sys/policies/password/", "sys/plugins/", "sys/quotas/rate-limit/", "sys/config/", "sys/audit/file",
			"identity/", "auth/github/map/", "auth/ldap/groups/", "auth/ldap/users/", "auth/aws/role/", "auth/aws/config/sts/", "auth/cert/certs/", "auth/token/roles/",
			"database/roles/", "pki/roles/", "ssh/roles/", "transit/keys/", "aws/roles/", "rabbitmq/roles/",
		}, func(prefix string) bool { return strings.HasPrefix(string(id), prefix) })
	}
	rest := slices.DeleteFunc(slices.Clone(objects), func(o object.Object) bool { return gone(o.ID) || strings.HasPrefix(string(o.ID), "request:") })
	goal := reconcile.Goal{Objects: rest, Memory: b.memory, Prune: pruning.Prune(), Owned: result.Created, Parallelism: 16}
	p, err = reconcile.NewPlan(t.Context(), as, goal)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := reconcile.Apply(t.Context(), as, p, reconcile.Options{Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	var want []object.ID
	for _, id := range result.Created {
		if gone(id) {
			want = append(want, id)
		}
	}
	// Members are told to go by the group; the alias of a deleted entity went with it.
	if len(want) < 25 {
		t.Errorf("only %d objects were to be deleted", len(want))
	}
	for _, id := range want {
		if !slices.Contains(deleted.Deleted, id) {
			t.Errorf("%s was not deleted", id)
		}
	}
}

// TestPlanNeedsReadOnly plans with a token that may do nothing but what Needs lists as
// reading, on a Vault that has drifted.
func TestPlanNeedsReadOnly(t *testing.T) {
	b, digest := startWith(t)
	objects := b.resolve(t, b.read(t, externalConfig, "PLUGIN_SHA256", digest))
	b.apply(t, objects)
	var reads []policy.Grant
	for _, g := range policy.Needs(objects, false) {
		g.Capabilities = slices.DeleteFunc(slices.Clone(g.Capabilities), func(c string) bool { return c != "read" && c != "list" && c != "sudo" })
		if slices.Contains(g.Capabilities, "read") {
			reads = append(reads, g)
		}
	}
	b.call(t, "PUT", "auth/ldap/users/ann", m{"policies": "admin"})
	b.call(t, "DELETE", "pki/roles/default", nil)
	token := b.token(t, "reader", policy.HCL(reads, nil))
	p, err := reconcile.NewPlan(t.Context(), b.as(t, token), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	if p.Count(reconcile.Create) != 1 || p.Count(reconcile.Update) != 1 {
		t.Errorf("the plan says\n%s", text(t, p))
	}
}
