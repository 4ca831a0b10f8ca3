package seed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// m is what Vault answers.
type m = map[string]any

// pruned returns the plan for a seed when the ledger holds owned.
func pruned(t *testing.T, w *world, text string, owned ...object.ID) *reconcile.Plan {
	t.Helper()
	path := write(t, "s.yaml", text)
	s, err := seed.Load([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: desired(t, path, seed.Resolver{}), Prune: s.Prune(), Owned: owned, Parallelism: 4})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// deletions returns what a plan deletes, in the order of the plan.
func deletions(p *reconcile.Plan) []object.ID {
	ids := []object.ID{}
	for _, c := range p.Changes {
		if c.Action == reconcile.Delete {
			ids = append(ids, c.Object.ID)
		}
	}
	return ids
}

// forgotten returns what leaves the ledger without being deleted, sorted: what is gone, and
// what goes with something else.
func forgotten(p *reconcile.Plan) []object.ID {
	ids := slices.Clone(p.Forget)
	for _, c := range p.Changes {
		ids = append(ids, c.Holds...)
	}
	slices.Sort(ids)
	return ids
}

// left returns what stays of what the seed no longer names.
func left(p *reconcile.Plan) []object.ID {
	ids := []object.ID{}
	for _, l := range p.Left {
		ids = append(ids, l.ID)
	}
	return ids
}

// team is a Vault with a namespace, and team's a ledger of what is in it.
func team() *world {
	return &world{data: map[string]map[string]any{
		"sys/namespaces/team": {"path": "team/"}, "sys/policies/acl/a": {}, "sys/mounts": {"kv/": m{"type": "kv"}}, "kv/auth/x": {},
		"team/sys/mounts": {"kv/": m{"type": "kv"}}, "team/sys/auth": {"approle/": m{"type": "approle", "accessor": "acc"}}, "team/sys/audit": {"file/": m{}},
		"team/sys/policies/acl/a": {}, "team/kv/config": {}, "team/auth/approle/role/r": {}, "team/identity/group/name/g": {"alias": m{"id": "1", "name": "n", "mount_accessor": "acc"}},
	}}
}

// TestExcludeInNamespaces holds that a kind that is left alone is left alone in every
// namespace, and no other kind with it.
func TestExcludeInNamespaces(t *testing.T) {
	// In the order of a plan.
	owned := []object.ID{
		"kv/auth/x", "sys/policies/acl/a", "team/auth/approle/role/r", "team/identity/group-alias/g/n/approle", "team/identity/group/name/g",
		"team/kv/config", "team/sys/audit/file", "team/sys/policies/acl/a",
	}
	stay := map[string][]object.ID{
		"secrets":       {"kv/auth/x", "team/kv/config"},
		"auth":          {"team/auth/approle/role/r"},
		"policies":      {"sys/policies/acl/a", "team/sys/policies/acl/a"},
		"groups":        {"team/identity/group/name/g"},
		"group-aliases": {"team/identity/group-alias/g/n/approle"},
		"groupAliases":  {"team/identity/group-alias/g/n/approle"},
		"audit":         {"team/sys/audit/file"},
		"plugins":       {},
	}
	for kind, stays := range stay {
		for name, namespaces := range map[string]string{"declared": "namespaces: [{path: team}]\n", "unknown": ""} {
			text := "secrets: [{type: kv}]\npurgeUnmanagedConfig: {enabled: true, exclude: {" + kind + ": true}}\n" + namespaces
			want := slices.DeleteFunc(slices.Clone(owned), func(id object.ID) bool { return slices.Contains(stays, id) })
			if got := deletions(pruned(t, team(), text, owned...)); !slices.Equal(got, want) {
				t.Errorf("%s, namespace %s: deletes %q, want %q", kind, name, got, want)
			}
		}
	}
}

// TestPruneOfSeveralFiles holds that files may say the same of pruning, and that both
// places are named where they do not.
func TestPruneOfSeveralFiles(t *testing.T) {
	none, owned := write(t, "none.yaml", "policies: []\nprune: none\n"), write(t, "owned.yaml", "prune: owned\n")
	purge, silent := write(t, "purge.yaml", "purgeUnmanagedConfig: {enabled: true}\n"), write(t, "silent.yaml", "purgeUnmanagedConfig: {exclude: {auth: true}}\n")
	for _, paths := range [][]string{{none, silent, none}, {owned, purge, silent}} {
		s, err := seed.Load(paths)
		if err != nil || s.Prune().Owned != (paths[0] == owned) {
			t.Errorf("%q: %v", paths, err)
		}
	}
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{none, owned}, owned + ":1:1: prune: owned contradicts prune: none, at " + none + ":2:1"},
		{[]string{silent, purge, none}, none + ":2:1: prune: none contradicts purgeUnmanagedConfig: {enabled: true}, at " + purge + ":1:24"},
	} {
		_, err := seed.Load(test.paths)
		if err == nil || !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Seed {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// TestPruneAliasInNamespaces deletes aliases in namespaces whose names look like a part
// of the path of an alias.
func TestPruneAliasInNamespaces(t *testing.T) {
	for _, ns := range []string{"", "team/", "my-alias/", "myidentity/"} {
		w := &world{data: map[string]map[string]any{
			ns + "identity/entity/name/e": {"aliases": []any{m{"id": "1", "name": "CN=x/OU=y", "mount_accessor": "acc"}}},
			ns + "sys/auth":               {"oidc/": m{"accessor": "acc"}},
		}}
		p := pruned(t, w, "prune: owned\n", object.ID(ns+"identity/entity-alias/e/CN=x%2FOU=y/oidc"))
		if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(w.deletes); got != "["+ns+"identity/entity-alias/id/1]" {
			t.Errorf("in %q: deleted %s", ns, got)
		}
	}
}

// TestTombstoneTakesWhatItHolds holds that what lives in a mount that goes is forgotten
// with it and not deleted at the same time, wherever its ID is in the order of IDs, and
// that aliases, which are found by the mount, go before it.
func TestTombstoneTakesWhatItHolds(t *testing.T) {
	owned := []object.ID{
		"auth/approle/role/r", "identity/group-alias/g/n/approle", "kv/x", "kvv/x", "sys/auth/approle", "sys/mounts/kv", "sys/mounts/zz", "zz/x",
	}
	tombstones := "tombstones: [{auth: approle, destroy: true}, {secrets: kv, destroy: true}, {secrets: zz, destroy: true}]\n"
	for name, exclude := range map[string]string{"all": "", "but policies": "purgeUnmanagedConfig: {exclude: {policies: true}}\n"} {
		w := &world{data: map[string]map[string]any{
			"sys/auth": {"approle/": m{"accessor": "acc"}}, "sys/mounts": {"kv/": m{}, "zz/": m{}}, "auth/approle/role/r": {}, "kv/x": {}, "kvv/x": {}, "zz/x": {},
			"identity/group/name/g": {"alias": m{"id": "1", "name": "n", "mount_accessor": "acc"}},
		}}
		p := pruned(t, w, "prune: owned\n"+exclude+tombstones, owned...)
		if want := []object.ID{"identity/group-alias/g/n/approle", "kvv/x", "sys/auth/approle", "sys/mounts/kv", "sys/mounts/zz"}; !slices.Equal(deletions(p), want) {
			t.Errorf("%s: deletes %q, want %q", name, deletions(p), want)
		}
		if want := []object.ID{"auth/approle/role/r", "kv/x", "zz/x"}; !slices.Equal(forgotten(p), want) {
			t.Errorf("%s: forgets %q, want %q", name, forgotten(p), want)
		}
		if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{Parallelism: 8}); err != nil {
			t.Fatal(err)
		}
		mounts := slices.Sorted(slices.Values(w.deletes[2:]))
		if want := []string{"sys/auth/approle", "sys/mounts/kv", "sys/mounts/zz"}; !slices.Equal(mounts, want) {
			t.Errorf("%s: deleted %q", name, w.deletes)
		}
	}
}

// TestMountInNamespaceStays holds that a mount in a namespace is not disabled because
// the seed no longer names it.
func TestMountInNamespaceStays(t *testing.T) {
	p := pruned(t, team(), "prune: owned\nnamespaces: [{path: team}]\n", "team/kv/config", "team/sys/auth/approle", "team/sys/mounts/kv")
	if want := []object.ID{"team/kv/config"}; !slices.Equal(deletions(p), want) {
		t.Errorf("deletes %q, want %q", deletions(p), want)
	}
	if want := []object.ID{"team/sys/auth/approle", "team/sys/mounts/kv"}; !slices.Equal(left(p), want) {
		t.Errorf("left are %q, want %q", left(p), want)
	}
}

// inTeam is a ledger of what team holds.
var inTeam = []object.ID{
	"sys/namespaces/team", "team/auth/approle/role/r", "team/kv/config", "team/sys/auth/approle", "team/sys/mounts/kv", "team/sys/policies/acl/a",
}

// TestNamespaceStays holds that a namespace, which takes all in it along, goes only when
// the seed says that it may.
func TestNamespaceStays(t *testing.T) {
	p := pruned(t, team(), "prune: owned\n", inTeam...)
	if want := []object.ID{"team/auth/approle/role/r", "team/kv/config", "team/sys/policies/acl/a"}; !slices.Equal(deletions(p), want) {
		t.Errorf("deletes %q, want %q", deletions(p), want)
	}
	if want := []object.ID{"sys/namespaces/team", "team/sys/auth/approle", "team/sys/mounts/kv"}; !slices.Equal(left(p), want) {
		t.Errorf("left are %q, want %q", left(p), want)
	}
}

// TestTombstoneInNamespaces deletes a namespace, and mounts in one that stays.
func TestTombstoneInNamespaces(t *testing.T) {
	for _, test := range []struct {
		name, text           string
		delete, forget, left []object.ID
	}{
		{
			"namespace", "tombstones: [{namespace: /team/, destroy: true}]\n",
			inTeam[:1], inTeam[1:], nil,
		},
		{
			"namespace and an engine in it", "tombstones: [{namespace: team, secrets: kv, destroy: true}, {namespace: team, destroy: true}]\n",
			inTeam[:1], inTeam[1:], nil,
		},
		{
			"engine", "namespaces: [{path: team}]\ntombstones: [{namespace: team, secrets: kv, destroy: true}]\n",
			[]object.ID{"team/auth/approle/role/r", "team/sys/policies/acl/a", "team/sys/mounts/kv"}, []object.ID{"team/kv/config"}, []object.ID{"team/sys/auth/approle"},
		},
		{
			"auth method", "tombstones: [{namespace: team, auth: approle, destroy: true}]\n",
			[]object.ID{"team/kv/config", "team/sys/policies/acl/a", "team/sys/auth/approle"}, []object.ID{"team/auth/approle/role/r"}, []object.ID{"sys/namespaces/team", "team/sys/mounts/kv"},
		},
		{
			"namespace, policies aside", "purgeUnmanagedConfig: {exclude: {policies: true}}\ntombstones: [{namespace: team, destroy: true}]\n",
			inTeam[:1], inTeam[1:], nil,
		},
		{
			"engine of the root", "secrets: [{type: kv}]\nnamespaces: [{path: team}]\ntombstones: [{secrets: team/kv, destroy: true}]\n",
			[]object.ID{"team/auth/approle/role/r", "team/kv/config", "team/sys/policies/acl/a"}, nil, []object.ID{"team/sys/auth/approle", "team/sys/mounts/kv"},
		},
	} {
		p := pruned(t, team(), "prune: owned\n"+test.text, inTeam...)
		if !slices.Equal(deletions(p), test.delete) || !slices.Equal(forgotten(p), test.forget) || !slices.Equal(left(p), test.left) {
			t.Errorf("%s: deletes %q, forgets %q, left are %q", test.name, deletions(p), forgotten(p), left(p))
		}
	}
}

// TestTombstoneOfOthers reports what has a tombstone and is not ours, as long as it exists.
func TestTombstoneOfOthers(t *testing.T) {
	text := "prune: owned\ntombstones:\n  - {namespace: team, secrets: kv, destroy: true}\n  - {namespace: team, auth: none, destroy: true}\n" +
		"  - {namespace: other, destroy: true}\n  - {secrets: kv, destroy: true}\n  - {secrets: none, destroy: true}\n"
	if want := []object.ID{"team/sys/mounts/kv", "sys/mounts/kv"}; !slices.Equal(left(pruned(t, team(), text)), want) {
		t.Errorf("left are %q, want %q", left(pruned(t, team(), text)), want)
	}
	w := team()
	w.fail = map[string]error{"read sys/namespaces/other": refusal{403, "permission denied"}}
	if want := []object.ID{"team/sys/mounts/kv", "sys/namespaces/other", "sys/mounts/kv"}; !slices.Equal(left(pruned(t, w, text)), want) {
		t.Errorf("left are %q, want %q", left(pruned(t, w, text)), want)
	}
}

// TestContentsStayOwnedUntilTheyAreGone holds that what lies in a mount leaves the ledger
// with it, and not when its deletion is planned.
func TestContentsStayOwnedUntilTheyAreGone(t *testing.T) {
	text := "prune: owned\ntombstones: [{secrets: kv, destroy: true}]\n"
	for refused, taken := range map[bool]int{true: 0, false: 1} {
		w := &world{data: map[string]map[string]any{"sys/mounts": {"kv/": m{"type": "kv"}}, "kv/config": {}}}
		if refused {
			w.fail = map[string]error{"delete sys/mounts/kv": refusal{403, "permission denied"}}
		}
		result, err := reconcile.Apply(t.Context(), w, pruned(t, w, text, "kv/config", "sys/mounts/kv"), reconcile.Options{})
		if (err != nil) != refused || len(result.Taken) != taken || len(result.Deleted) != taken {
			t.Errorf("refused: %v: deleted %v, and with it %v: %v", refused, result.Deleted, result.Taken, err)
		}
	}
}

// TestPruneKnowsVersionsInEverySpelling holds that a plugin that the seed still declares is
// not deleted because its version is written in another way.
func TestPruneKnowsVersionsInEverySpelling(t *testing.T) {
	for _, version := range []string{"1.2", "v1.2", "1.2.0", "v1.2.0"} {
		w := &world{data: map[string]map[string]any{}}
		for _, each := range []string{"1.2", "v1.2", "1.2.0", "v1.2.0"} {
			w.data["sys/plugins/catalog/secret/x?version="+each] = m{"command": "x", "sha256": "s", "version": "v1.2.0"}
		}
		text := "prune: owned\nplugins: [{plugin_name: x, type: secret, command: x, sha256: s, version: " + version + "}]\n"
		if p := pruned(t, w, text, "sys/plugins/catalog/secret/x@1.2.0"); !p.Empty() {
			t.Errorf("%s: %s", version, p.Summary())
		}
	}
}

// TestPruneLeavesWhatMayBeOne holds that a group of ldap, whose names Vault may take in any
// case, is not deleted for a new spelling.
func TestPruneLeavesWhatMayBeOne(t *testing.T) {
	for _, config := range []string{"", ", config: {url: 'ldap://x'}", ", config: {url: 'ldap://x', case_sensitive_names: true}"} {
		w := &world{data: map[string]map[string]any{
			"sys/auth": {"ldap/": m{"type": "ldap"}}, "auth/ldap/config": {"url": "ldap://x", "case_sensitive_names": true},
			"auth/ldap/groups/admins": {"policies": []any{"a"}}, "auth/ldap/groups/Admins": {"policies": []any{"a"}},
		}}
		if p := pruned(t, w, "prune: owned\nauth: [{type: ldap"+config+", groups: {admins: {policies: a}}}]\n", "auth/ldap/groups/Admins"); p.Count(reconcile.Delete) != 0 {
			t.Errorf("%q: deletes %q", config, deletions(p))
		}
	}
	// Two mounts whose names differ in case are two.
	w := &world{data: map[string]map[string]any{
		"sys/auth":        {"App/": m{"type": "approle"}, "app/": m{"type": "approle"}},
		"auth/App/role/r": {"token_ttl": 1}, "auth/app/role/r": {"token_ttl": 1}, "auth/App/role/R": {"token_ttl": 1},
	}}
	if p := pruned(t, w, "prune: owned\nauth: [{type: approle, path: App, roles: [{name: r}]}, {type: approle, path: app, roles: [{name: r}]}]\n", "auth/App/role/R"); p.Count(reconcile.Delete) != 0 {
		t.Errorf("deletes %q", deletions(p))
	}
}

// TestPruneForgetsMountsThatAreGone holds that nothing is said to stay that somebody has
// removed, and that its memory takes no protection from a namespace of the same name.
func TestPruneForgetsMountsThatAreGone(t *testing.T) {
	w := team()
	p := pruned(t, w, "prune: owned\nnamespaces: [{path: team}]\n", "sys/mounts/team", "team/sys/mounts/kv")
	if !slices.Equal(forgotten(p), []object.ID{"sys/mounts/team"}) || !slices.Equal(left(p), []object.ID{"team/sys/mounts/kv"}) || len(deletions(p)) != 0 {
		t.Errorf("deletes %q, forgets %q, left are %q", deletions(p), forgotten(p), left(p))
	}
}

// TestTombstoneGrants holds that the policy has what tombstones in namespaces need; in
// the root it names no mount, since an exact path would stand for the wildcard.
func TestTombstoneGrants(t *testing.T) {
	s, err := seed.Load([]string{write(t, "s.yaml", "prune: owned\ntombstones:\n  - {secrets: a, destroy: true}\n  - {auth: b, destroy: true}\n"+
		"  - {namespace: n, secrets: c, destroy: true}\n  - {namespace: n, auth: d, destroy: true}\n  - {namespace: o, destroy: true}\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{n/sys/auth [read]} {n/sys/auth/d [delete sudo]} {n/sys/mounts [read]} {n/sys/mounts/c [delete]} " +
		"{o/+/+/sys/namespaces/ [list]} {o/+/+/sys/namespaces/+ [read delete]} {o/+/sys/namespaces/ [list]} {o/+/sys/namespaces/+ [read delete]} " +
		"{o/sys/namespaces/ [list]} {o/sys/namespaces/+ [read delete]} {sys/namespaces/o [read delete]}]"
	if got := fmt.Sprint(policy.TombstoneGrants(s.Prune())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPrunePlugins reads and deletes plugins with a version as Vault has them: the
// version is a parameter and no part of the path.
func TestPrunePlugins(t *testing.T) {
	w := &world{data: map[string]map[string]any{
		"sys/plugins/catalog/secret/x?version=1.0.0":         {"version": "v1.0.0"},
		"n@1/sys/plugins/catalog/auth/x?version=1.0.0%2Bfix": {"version": "v1.0.0+fix"},
		"sys/plugins/catalog/secret/y":                       {"command": "y"},
		"sys/plugins/catalog/secret/kv":                      {"builtin": true}, // ours was removed by hand
	}}
	p := pruned(t, w, "prune: owned\n", "n@1/sys/plugins/catalog/auth/x@1.0.0+fix", "sys/plugins/catalog/secret/kv", "sys/plugins/catalog/secret/x@1.0.0",
		"sys/plugins/catalog/secret/x@2.0.0", "sys/plugins/catalog/secret/y")
	if want := []object.ID{"sys/plugins/catalog/secret/kv", "sys/plugins/catalog/secret/x@2.0.0"}; !slices.Equal(forgotten(p), want) {
		t.Errorf("forgets %q, want %q", p.Forget, want)
	}
	if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"n@1/sys/plugins/catalog/auth/x?version=1.0.0%2Bfix", "sys/plugins/catalog/secret/x?version=1.0.0", "sys/plugins/catalog/secret/y"}
	if !slices.Equal(w.deletes, want) {
		t.Errorf("deleted %q, want %q", w.deletes, want)
	}

	// They are read at the same paths when they are declared.
	text := "plugins: [{plugin_name: x, type: secret, version: 1.0.0+fix, command: x, sha256: y}]\n"
	w = &world{}
	pruned(t, w, text)
	if want := []string{"sys/plugins/catalog/secret/x?version=1.0.0%2Bfix"}; !slices.Equal(w.reads, want) {
		t.Errorf("read %q, want %q", w.reads, want)
	}
}

// TestPluginVersion holds that a version which Vault shows with a v in front is no
// difference.
func TestPluginVersion(t *testing.T) {
	for _, version := range []string{"1.0.0", "v1.0.0"} {
		w := &world{data: map[string]map[string]any{"sys/plugins/catalog/secret/x?version=" + version: {"version": "v1.0.0", "command": "x", "sha256": "y", "builtin": false}}}
		p := pruned(t, w, "plugins: [{plugin_name: x, type: secret, version: "+version+", command: x, sha256: y}]\n")
		if !p.Empty() {
			t.Errorf("%s: %s", version, p.Summary())
		}
	}
}
