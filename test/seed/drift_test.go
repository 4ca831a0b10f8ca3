package seed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
)

// TestOneFieldOneWrite changes one field of the seed at a time.
func TestOneFieldOneWrite(t *testing.T) {
	b := start(t)
	b.apply(t, b.load(t, shipped))
	wantEmpty(t, b.plan(t, b.load(t, shipped)))
	edits := []string{}
	for _, test := range []struct{ old, new, write string }{
		{"token_ttl: 20m", "token_ttl: 25m", "update auth/kubernetes/role/app"},
		{"https://kubernetes.default.svc", "https://elsewhere.example", "update auth/kubernetes/config"},
		{"default_lease_ttl: 1h", "default_lease_ttl: 2h", "update sys/auth/kubernetes/tune"},
		{"max_lease_ttl: 720h", "max_lease_ttl: system", "update sys/mounts/kv/tune"},
		{"secrets of our applications", "secrets", "update sys/mounts/kv/tune"},
		{`kv/data/app/*`, `kv/data/apps/*`, "update sys/policies/acl/app"},
		{"token_policies: [app, ci]", "token_policies: [app]", "update auth/userpass/users/alice"},
		{"secret_id_num_uses: 40", "secret_id_num_uses: 41", "update auth/ci/role/builder"},
	} {
		edits = append(edits, test.old, test.new)
		objects := b.load(t, shipped, edits...)
		if writes := b.writes(t, func() { b.apply(t, objects) }); fmt.Sprint(writes) != "["+test.write+"]" {
			t.Errorf("%s → %s wrote %v", test.old, test.new, writes)
		}
		wantEmpty(t, b.plan(t, objects))
	}
}

// TestDrift changes Vault behind the seed's back with raw calls.
func TestDrift(t *testing.T) {
	b := start(t)
	objects := b.load(t, everything)
	b.apply(t, objects)
	b.drifts(t, objects, []drift{
		{"policy text", "PUT", "sys/policies/acl/app-reader", m{"policy": `path "*" { capabilities = ["sudo"] }`}, `- path "*" { capabilities = ["sudo"] }`, "update sys/policies/acl/app-reader"},
		{"policy gone", "DELETE", "sys/policies/acl/templated", nil, "+ sys/policies/acl/templated", "update sys/policies/acl/templated"},
		{"role field", "PUT", "auth/team/k8s/role/app", m{"bound_service_account_namespaces": "other"}, `bound_service_account_namespaces: ["other"] → ["*"]`, "update auth/team/k8s/role/app"},
		{"role gone", "DELETE", "auth/ci/role/builder", nil, "+ auth/ci/role/builder", "create auth/ci/role/builder"},
		{"role policies", "PUT", "auth/aws/role/node", m{"token_policies": "app-reader,admin"}, `token_policies: ["app-reader","admin"] → ["app-reader"]`, "update auth/aws/role/node"},
		{"role claims", "PUT", "auth/jwt/role/deployer", m{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "a,z", "bound_claims": m{"project": "one"}}, `bound_claims: {"project":"one"} → {"project":["one","two"],"ref_protected":"true"}`, "update auth/jwt/role/deployer"},
		{"user's token", "PUT", "auth/userpass/users/alice", m{"token_ttl": "2h"}, "token_ttl: 7200 → 60", "update auth/userpass/users/alice"},
		{"user gone", "DELETE", "auth/userpass/users/bob", nil, "+ auth/userpass/users/bob", "create auth/userpass/users/bob"},
		{"config", "PUT", "auth/team/k8s/config", m{"kubernetes_host": "https://evil.example", "kubernetes_ca_cert": clusterCA(t), "token_reviewer_jwt": "x", "disable_local_ca_jwt": true}, `kubernetes_host: "https://evil.example" → "https://10.0.0.1:6443"`, "update auth/team/k8s/config"},
		{"ldap config", "PUT", "auth/ldap/config", m{"url": "ldap://evil.example"}, `url: "ldap://evil.example" → "ldaps://ldap.example"`, "update auth/ldap/config"},
		{"token role", "PUT", "auth/token/roles/orphans", m{"orphan": false}, "orphan: false → true", "update auth/token/roles/orphans"},
		{"auth lease", "PUT", "sys/auth/team/k8s/tune", m{"default_lease_ttl": "99h", "max_lease_ttl": "100h"}, `config.default_lease_ttl: 356400 → "30m"`, "update sys/auth/team/k8s/tune"},
		{"auth description", "PUT", "sys/auth/team/k8s/tune", m{"description": "by hand"}, `description: "by hand" → "pods"`, "update sys/auth/team/k8s/tune"},
		{"auth visibility", "PUT", "sys/auth/team/k8s/tune", m{"listing_visibility": ""}, `config.listing_visibility: (none) → "unauth"`, "update sys/auth/team/k8s/tune"},
		{"auth token type", "PUT", "sys/auth/team/k8s/tune", m{"token_type": "batch"}, `config.token_type: "batch" → "default-batch"`, "update sys/auth/team/k8s/tune"},
		{"auth headers", "PUT", "sys/auth/team/k8s/tune", m{"allowed_response_headers": "X-Answer"}, `config.allowed_response_headers: ["X-Answer"] → ["X-Answer","X-Other"]`, "update sys/auth/team/k8s/tune"},
		{"engine lease", "PUT", "sys/mounts/pki/tune", m{"max_lease_ttl": "system"}, `config.max_lease_ttl: 0 → "10d"`, "update sys/mounts/pki/tune"},
		{"engine audit keys", "PUT", "sys/mounts/team/kv/tune", m{"audit_non_hmac_response_keys": "y,data"}, `config.audit_non_hmac_response_keys: ["y","data"] → ["y"]`, "update sys/mounts/team/kv/tune"},
		{"engine gone", "DELETE", "sys/mounts/transit", nil, "+ sys/mounts/transit", "update sys/mounts/transit"},
		{"device gone", "DELETE", "sys/audit/raw/log", nil, "+ sys/audit/raw/log", "update sys/audit/raw/log"},
	})
}

// drift is a change that somebody makes with a raw call.
type drift struct {
	name, method, path string
	in                 any
	// named is what the plan must say, restored the one write that puts it right.
	named, restored string
}

// drifts makes each change and holds that the plan names it and nothing else, that
// one write puts it right, and that nothing is left to do then.
func (b *bed) drifts(t *testing.T, objects []object.Object, all []drift) {
	t.Helper()
	for _, d := range all {
		if !fitting.Path(t, d.path) {
			continue
		}
		b.call(t, d.method, d.path, d.in)
		p := b.plan(t, objects)
		if got := text(t, p); !strings.Contains(got, d.named) || p.Count(reconcile.Create)+p.Count(reconcile.Update) != 1 || p.Count(reconcile.Delete) != 0 {
			t.Errorf("%s: the plan says\n%s", d.name, got)
		}
		if writes := b.writes(t, func() { b.apply(t, objects) }); fmt.Sprint(writes) != "["+d.restored+"]" {
			t.Errorf("%s: wrote %v", d.name, writes)
		}
		wantEmpty(t, b.plan(t, objects))
	}
}

type m = map[string]any

// TestNotOursStays holds that what the seed does not name is left alone.
func TestNotOursStays(t *testing.T) {
	b := start(t)
	objects := b.load(t, shipped)
	b.apply(t, objects)
	b.call(t, "PUT", "sys/policies/acl/by-hand", m{"policy": `path "x" { capabilities = ["read"] }`})
	b.call(t, "PUT", "sys/mounts/by-hand", m{"type": "kv"})
	b.call(t, "PUT", "auth/kubernetes/role/app", m{"token_max_ttl": "3h"})
	b.call(t, "PUT", "sys/mounts/kv/tune", m{"default_lease_ttl": "5m"})
	wantEmpty(t, b.plan(t, objects))
}

// TestManyWithOneBad applies a large seed of which Vault refuses one object.
func TestManyWithOneBad(t *testing.T) {
	b := start(t)
	objects := []object.Object{object.AuthMount("kubernetes", "kubernetes", nil)}
	for i := range 500 {
		objects = append(objects, object.Policy(fmt.Sprintf("p%d", i), fmt.Sprintf("path \"secret/%d\" { capabilities = [\"read\"] }", i)))
		objects = append(objects, object.Role("kubernetes", "kubernetes", fmt.Sprintf("r%d", i), m{
			"bound_service_account_names": "app", "bound_service_account_namespaces": []any{"default"}, "token_policies": fmt.Sprintf("p%d", i), "token_ttl": "1h",
		}))
	}
	bad := slices.IndexFunc(objects, func(o object.Object) bool { return o.ID == "sys/policies/acl/p77" })
	good := objects[bad]
	objects[bad] = object.Policy("p77", "path {")
	objects[bad].Position = value.Position{File: "many.yaml", Line: 77, Column: 3}

	result, err := reconcile.Apply(t.Context(), b.as(t, b.root), b.plan(t, objects), reconcile.Options{Parallelism: 16})
	if err == nil || !strings.Contains(err.Error(), "creating sys/policies/acl/p77 (many.yaml:77:3): ") || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v", err)
	}
	if len(result.Created) != 1000 {
		t.Errorf("%d objects were created, want 1000", len(result.Created))
	}
	b.memory.Hashes = result.Hashes
	objects[bad] = good
	if writes := b.writes(t, func() { b.apply(t, objects) }); fmt.Sprint(writes) != "[update sys/policies/acl/p77]" {
		t.Errorf("the rerun wrote %v", writes)
	}
	wantEmpty(t, b.plan(t, objects))
}
