package seed_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestNamespaces holds that what a namespace holds is addressed within it.
func TestNamespaces(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
secrets: [{type: kv}]
namespaces:
  - path: team
    policies: [{name: a, rules: 'path "x" {}'}]
    secrets: [{type: kv-v2, path: kv, configuration: {config: [{max_versions: 3}]}}]
    auth: [{type: approle, roles: [{name: r}]}]
    entities: [{name: e}]
    entity-aliases: [{name: n, mountpath: approle, entity: e}]
    secretsOnce: [{path: kv/x, data: {y: z}}]
    ui-headers: {X-A: b}
`), seed.Resolver{})
	var ids []string
	for _, o := range objects {
		ids = append(ids, string(o.ID))
		if o.Mount != "" && !strings.HasPrefix(string(o.Mount), "team/sys/") {
			t.Errorf("%s needs %s", o.ID, o.Mount)
		}
	}
	slices.Sort(ids)
	want := []string{
		"sys/mounts/kv", "sys/namespaces/team", "team/auth/approle/role/r", "team/identity/entity-alias/e/n/approle", "team/identity/entity/name/e",
		"team/kv/config", "team/kv/data/x", "team/sys/auth/approle", "team/sys/config/ui/headers/X-A", "team/sys/mounts/kv", "team/sys/policies/acl/a",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("got  %q\nwant %q", ids, want)
	}
	for _, g := range policy.Needs(objects, true) {
		if strings.Contains(g.Path, "teamsys") || strings.Contains(g.Path, "//") {
			t.Errorf("the path %q", g.Path)
		}
	}
	w := &world{data: map[string]map[string]any{"sys/mounts": {}, "team/sys/mounts": {}, "team/sys/auth": {}}}
	p := plan(t, w, objects, reconcile.Memory{HashKey: key})
	if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{}); err == nil || !strings.Contains(err.Error(), "accessor") {
		t.Errorf("got %v", err) // the world has no accessors
	}
	for _, path := range []string{"sys/namespaces/team", "team/sys/mounts/kv", "team/kv/data/x", "team/auth/approle/role/r"} {
		if !slices.Contains(w.writes, path) {
			t.Errorf("%s was not written", path)
		}
	}

	// If the namespace cannot be created, its content is not tried.
	refusing := &world{data: w.data, fail: map[string]error{"sys/namespaces/team": refusal{400, "no"}}}
	_, err := reconcile.Apply(t.Context(), refusing, plan(t, refusing, objects, reconcile.Memory{HashKey: key}), reconcile.Options{})
	if err == nil || !strings.Contains(err.Error(), "creating team/sys/mounts/kv ") || !strings.Contains(err.Error(), "not tried, because its namespace could not be created") {
		t.Errorf("got %v", err)
	}
	if want := []string{"sys/mounts/kv", "sys/namespaces/team"}; !slices.Equal(slices.Sorted(slices.Values(refusing.writes)), want) {
		t.Errorf("wrote %q, want %q", refusing.writes, want)
	}
	for _, path := range []string{"team/sys/auth", "team/sys/config/ui/headers/X-A?multivalue=true"} {
		if !slices.Contains(w.reads, path) {
			t.Errorf("%s was not read: %q", path, w.reads)
		}
	}
}

// TestLeaseCountQuota holds what is sent to a server that has quotas of leases.
func TestLeaseCountQuota(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", "quotas: {lease-counts: [{name: q, max_leases: 10, path: auth/approle, role: ci}]}\n"), seed.Resolver{})
	w := &world{store: true}
	if _, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, reconcile.Memory{HashKey: key}), reconcile.Options{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"max_leases": json.Number("10"), "path": "auth/approle", "role": "ci"}
	if got := w.bodies["sys/quotas/lease-count/q"]; !maps.Equal(got, want) || len(w.writes) != 1 {
		t.Errorf("wrote %v to %q, want %v", got, w.writes, want)
	}
	if p := plan(t, w, objects, reconcile.Memory{HashKey: key}); !p.Empty() {
		t.Errorf("the plan is not empty: %s", p.Summary())
	}
}

// TestNestedNamespaces holds that a namespace is created after the one that it is in, and deleted
// before it.
func TestNestedNamespaces(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", "namespaces: [{path: a/b/c}, {path: z}, {path: a/b, policies: [{name: p, rules: 'path \"x\" {}'}]}, {path: a}]\n"), seed.Resolver{})
	w := &world{}
	p := plan(t, w, objects, reconcile.Memory{})
	// One after another, they are in the order of the plan.
	if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	made := []string{"sys/namespaces/a", "sys/namespaces/z", "a/sys/namespaces/b", "a/b/sys/namespaces/c"}
	if !slices.Equal(w.writes[:4], made) {
		t.Errorf("wrote %q, want %q", w.writes, made)
	}

	// At once, each waits for the one that it is in.
	refusing := &world{fail: map[string]error{"sys/namespaces/a": refusal{400, "no"}}}
	_, err := reconcile.Apply(t.Context(), refusing, plan(t, refusing, objects, reconcile.Memory{}), reconcile.Options{Parallelism: 8})
	if want := []string{"sys/namespaces/a", "sys/namespaces/z"}; err == nil || !slices.Equal(slices.Sorted(slices.Values(refusing.writes)), want) {
		t.Errorf("wrote %q, want %q: %v", refusing.writes, want, err)
	}
	for _, id := range []string{"a/sys/namespaces/b", "a/b/sys/namespaces/c", "a/b/sys/policies/acl/p"} {
		if err == nil || !strings.Contains(err.Error(), "creating "+id+" ") {
			t.Errorf("%s is not among what was not tried: %v", id, err)
		}
	}

	there := &world{data: map[string]map[string]any{"sys/namespaces/a": {}, "a/sys/namespaces/b": {}, "a/b/sys/namespaces/c": {}, "sys/namespaces/z": {}, "sys/policies/acl/p": {}}}
	gone := pruned(t, there, "prune: owned\ntombstones: [{namespace: a, destroy: true}, {namespace: z, destroy: true}]\n",
		"a/b/sys/policies/acl/p", "sys/namespaces/a", "a/sys/namespaces/b", "a/b/sys/namespaces/c", "sys/namespaces/z", "sys/policies/acl/p")
	if _, err := reconcile.Apply(t.Context(), there, gone, reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	deleted := []string{"a/b/sys/namespaces/c", "a/sys/namespaces/b", "sys/namespaces/a", "sys/namespaces/z", "sys/policies/acl/p"}
	if !slices.Equal(there.deletes, deleted) {
		t.Errorf("deleted %q, want %q", there.deletes, deleted)
	}
}

// TestNamespaceThatCouldNotBeCreated holds that a nested namespace which an earlier version recorded
// by a path that no server has is forgotten.
func TestNamespaceThatCouldNotBeCreated(t *testing.T) {
	w := &world{data: map[string]map[string]any{"sys/namespaces/a": {}, "a/sys/namespaces/b": {}}, fail: map[string]error{"read sys/namespaces/a/b": refusal{400, "namespace name cannot contain /"}}}
	p := pruned(t, w, "prune: owned\nnamespaces: [{path: a}, {path: a/b}]\n", "sys/namespaces/a", "sys/namespaces/a/b")
	if got := forgotten(p); !slices.Equal(got, []object.ID{"sys/namespaces/a/b"}) || len(left(p)) != 0 || len(deletions(p)) != 0 {
		t.Errorf("forgets %q, left are %q, deletes %q", got, left(p), deletions(p))
	}
}

// TestNamespaceBeingDeletedForever holds that a namespace that never goes ends the wait as an error
// that may pass.
func TestNamespaceBeingDeletedForever(t *testing.T) {
	w := &world{data: map[string]map[string]any{"sys/namespaces/a": {"tainted": true}}}
	objects := desired(t, write(t, "s.yaml", "namespaces: [{path: a, policies: [{name: p, rules: 'path \"x\" {}'}]}]\n"), seed.Resolver{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := reconcile.Apply(ctx, w, plan(t, w, objects, reconcile.Memory{HashKey: key}), reconcile.Options{}); err == nil || fault.KindOf(err) == fault.Partial {
		t.Errorf("got %v", err)
	}
	if len(w.writes) > 0 {
		t.Errorf("wrote %q", w.writes)
	}
}

// TestRequestsThatDeleteInNamespaces holds that a request that deletes is sent to its namespace, and
// that our policy allows that path.
func TestRequestsThatDeleteInNamespaces(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", "namespaces: [{path: a, requests: [{name: r, path: kv/x, operation: delete}]}]\nrequests: [{name: r, path: kv/y, operation: delete}]\n"), seed.Resolver{})
	w := &world{}
	if _, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, reconcile.Memory{}), reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	want := []string{"a/kv/x", "kv/y"}
	if slices.Sort(w.deletes); !slices.Equal(w.deletes, want) {
		t.Errorf("deleted %q, want %q", w.deletes, want)
	}
	var allowed []string
	for _, g := range policy.Needs(objects, false) {
		if slices.Contains(g.Capabilities, "delete") {
			allowed = append(allowed, g.Path)
		}
	}
	if slices.Sort(allowed); !slices.Equal(allowed, want) {
		t.Errorf("allowed to delete are %q, want %q", allowed, want)
	}
}
