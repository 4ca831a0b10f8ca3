package seed_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// token returns a token with one policy, rules, and without the default policy.
func (b *bed) token(t *testing.T, name, rules string) string {
	t.Helper()
	b.call(t, "PUT", "sys/policies/acl/"+name, m{"policy": rules})
	var answer struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	in := m{"policies": []string{name}, "no_default_policy": true, "no_parent": true}
	if err := b.Call(t.Context(), "POST", "auth/token/create", b.root, in, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Auth.ClientToken
}

// applyAs plans and applies objects with a token, then plans again.
func (b *bed) applyAs(t *testing.T, token string, objects []object.Object) error {
	t.Helper()
	as := b.as(t, token)
	p, err := reconcile.NewPlan(t.Context(), as, reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		return err
	}
	result, err := reconcile.Apply(t.Context(), as, p, reconcile.Options{Parallelism: 16})
	if err != nil {
		return err
	}
	p, err = reconcile.NewPlan(t.Context(), as, reconcile.Goal{Objects: objects, Memory: reconcile.Memory{Hashes: result.Hashes, HashKey: b.memory.HashKey}, Parallelism: 16})
	if err == nil {
		wantEmpty(t, p)
	}
	return err
}

func denied(err error) bool {
	var refused httpstatus.Error
	return errors.As(err, &refused) && refused.HTTPStatus() == http.StatusForbidden
}

const (
	ownPolicy = "sys/policies/acl/vault-bootstrap"
	ownRole   = "auth/approle/role/vault-bootstrap"
)

// TestOwnPolicyIsEnough gives a token nothing but the program's own policy.
func TestOwnPolicyIsEnough(t *testing.T) {
	b := start(t)
	objects := b.load(t, everything)
	rules := policy.HCL(policy.OwnGrants(objects, false), []string{ownPolicy, ownRole})
	token := b.token(t, "vault-bootstrap", rules)
	b.call(t, "PUT", "sys/auth/approle", m{"type": "approle"})
	b.call(t, "PUT", ownRole, m{"token_policies": "vault-bootstrap"})

	if err := b.applyAs(t, token, objects); err != nil {
		t.Fatal(err)
	}
	// Settings of mounts that exist go another way than those of new ones.
	changed := b.load(t, everything, "description: pods", "description: machines", "description: of the team", "description: of both teams", "token_ttl: 60", "token_ttl: 61")
	if err := b.applyAs(t, token, changed); err != nil {
		t.Error(err)
	}

	as := api{b.VaultNode, token}
	for _, path := range []string{ownPolicy, ownRole} {
		if _, found, err := as.Read(t.Context(), path); err != nil || !found {
			t.Errorf("reading %s: %v, %v", path, found, err)
		}
		if _, err := as.Write(t.Context(), path, m{"policy": `path "*" {}`, "token_policies": "root"}); !denied(err) {
			t.Errorf("writing %s: got %v, want 403", path, err)
		}
		if err := as.Delete(t.Context(), path); !denied(err) {
			t.Errorf("deleting %s: got %v, want 403", path, err)
		}
	}
	for _, path := range []string{ownRole + "/token-policies", ownRole + "/secret-id", "auth/ci/role/builder/secret-id", "sys/policy/vault-bootstrap", "sys/seal", "secret/x", "team/kv/data/x", "auth/token/create"} {
		if _, err := as.Write(t.Context(), path, m{"token_policies": "root"}); !denied(err) {
			t.Errorf("writing %s: got %v, want 403", path, err)
		}
	}
	for path, in := range map[string]any{"sys/capabilities-self": m{"paths": []string{"sys/mounts"}}, "auth/token/lookup-self": nil, "auth/token/revoke-self": m{}} {
		method := http.MethodPut
		if in == nil {
			method = http.MethodGet
		}
		if path != "auth/token/revoke-self" { // last, below
			if _, err := as.do(t.Context(), method, path, in); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if _, err := as.Write(t.Context(), "auth/token/revoke-self", m{}); err != nil {
		t.Errorf("revoking itself: %v", err)
	}
}

// TestNeedsAreExact gives tokens exactly what Needs says, then one capability less.
func TestNeedsAreExact(t *testing.T) {
	b := start(t)
	// Objects differ by round, so that each round creates something.
	objects := func(round int) []object.Object {
		n := fmt.Sprintf("r%d", round)
		return []object.Object{
			object.AuditDevice("a"+n, "file", m{"options": m{"file_path": b.dir + "/" + n}}),
			object.AuthMount(n, "userpass", m{"description": "x"}),
			object.User(n, "u", m{"password": "p", "token_ttl": "1h"}),
			object.SecretsMount(n, "kv", m{"description": "x"}),
			object.Policy(n, `path "x" { capabilities = ["read"] }`),
		}
	}
	// exercise creates the objects and changes each that can be changed.
	exercise := func(token string, round int) error {
		if err := b.applyAs(t, token, objects(round)); err != nil {
			return err
		}
		changed := objects(round)
		changed[1].Data["description"], changed[3].Data["description"] = "y", "y"
		changed[2].Data["token_ttl"], changed[4].Data["policy"] = "2h", `path "y" { capabilities = ["read"] }`
		return b.applyAs(t, token, changed)
	}
	grants := policy.Needs(objects(0), false)
	if err := exercise(b.token(t, "exact", policy.HCL(grants, nil)), 0); err != nil {
		t.Fatalf("exactly what is needed: %v", err)
	}
	round := 0
	for i, g := range grants {
		if strings.HasSuffix(g.Path, "-self") { // for the session, not for objects
			continue
		}
		for _, capability := range g.Capabilities {
			round++
			less := slices.Clone(policy.Needs(objects(round), false))
			less[i].Capabilities = slices.DeleteFunc(slices.Clone(less[i].Capabilities), func(c string) bool { return c == capability })
			if len(less[i].Capabilities) == 0 {
				less = slices.Delete(less, i, i+1)
			}
			err := exercise(b.token(t, fmt.Sprintf("less%d", round), policy.HCL(less, nil)), round)
			if !denied(err) {
				t.Errorf("without %s at %s: got %v, want 403", capability, g.Path, err)
			}
		}
	}
	t.Logf("%d rounds", round)
}

// TestCapabilitiesSelf holds that Vault itself agrees: the program's own policy
// gives every capability that Needs lists, at every path.
func TestCapabilitiesSelf(t *testing.T) {
	b := start(t)
	objects := b.load(t, everything)
	token := b.token(t, "vault-bootstrap", policy.HCL(policy.OwnGrants(objects, false), []string{ownPolicy, ownRole}))
	var paths []string
	for _, g := range policy.Needs(objects, false) {
		paths = append(paths, g.Path)
	}
	var answer struct{ Data map[string][]string }
	if err := b.Call(t.Context(), "POST", "sys/capabilities-self", token, m{"paths": paths}, &answer); err != nil {
		t.Fatal(err)
	}
	for _, g := range policy.Needs(objects, false) {
		for _, c := range g.Capabilities {
			if !slices.Contains(answer.Data[g.Path], c) {
				t.Errorf("%s: Vault gives %v, needed is %v", g.Path, answer.Data[g.Path], g.Capabilities)
			}
		}
	}
}
