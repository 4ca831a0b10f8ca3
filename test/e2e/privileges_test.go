package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

type m = map[string]any

// many returns a seed with an audit device, policies, and roles of two auth methods.
func many(auditLog string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "audit:\n  - {type: file, options: {file_path: %s}}\npolicies:\n", auditLog)
	for i := range n {
		fmt.Fprintf(&b, "  - {name: p%d, rules: 'path \"kv/data/%d/*\" { capabilities = [\"read\"] }'}\n", i, i)
	}
	b.WriteString("auth:\n  - type: approle\n    path: apps\n    roles:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - {name: r%d, token_policies: [p%d]}\n", i, i)
	}
	b.WriteString("secrets:\n  - {type: kv, path: kv, options: {version: 2}}\n")
	return b.String()
}

// withMany returns a program whose seed has n policies and n roles, after its first run.
func withMany(t *testing.T, n int) (p *program, node *testbed.VaultNode, seed, auditLog string) {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	dir := t.TempDir()
	auditLog, seed = filepath.Join(dir, "audit.log"), filepath.Join(dir, "seed.yaml")
	write(t, seed, many(auditLog, n))
	p, _ = inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	return p, cluster.Nodes[0], seed, auditLog
}

// TestProofByRules takes rights away from our login in every way that Vault knows, at one of
// 500 roles. A run must find each before it writes anything, although it asks Vault about few
// paths, and must go on when the rights are back.
func TestProofByRules(t *testing.T) {
	p, node, _, auditLog := withMany(t, 500)
	root := rootOf(t, p, node)
	send := func(method, path string, in, out any) {
		t.Helper()
		if err := node.Call(t.Context(), method, path, root, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	call := func(method, path string, in any) { t.Helper(); send(method, path, in, nil) }
	read := func(method, path string, in any) m {
		t.Helper()
		var out struct{ Data m }
		send(method, path, in, &out)
		return out.Data
	}
	policy := func(name, rules string) {
		t.Helper()
		call(http.MethodPut, "sys/policies/acl/"+name, m{"policy": rules})
	}
	const (
		ourRole   = "auth/approle/role/vault-bootstrap"
		ourPolicy = "vault-bootstrap"
		deny      = `path "auth/apps/role/r437" { capabilities = ["deny"] }`
		lacks     = "auth/apps/role/r437"
	)
	// Our entity is the one whose alias is our role's ID.
	roleID, _ := read(http.MethodGet, ourRole+"/role-id", nil)["role_id"].(string)
	accessor := ""
	for path, mount := range read(http.MethodGet, "sys/auth", nil) {
		if fields, _ := mount.(m); path == "approle/" {
			accessor, _ = fields["accessor"].(string)
		}
	}
	entity, _ := read(http.MethodPost, "identity/lookup/entity", m{"alias_name": roleID, "alias_mount_accessor": accessor})["id"].(string)
	if entity == "" {
		t.Fatal("our login has no entity")
	}
	own, _ := read(http.MethodGet, "sys/policies/acl/"+ourPolicy, nil)["policy"].(string)
	roleBack := func() { call(http.MethodPost, ourRole, m{"token_policies": ourPolicy}) }
	entityBack := func() {
		call(http.MethodPost, "identity/entity/id/"+entity, m{"policies": []string{}, "metadata": m{}})
	}

	for _, c := range []struct {
		name, lacks string
		take, give  func()
	}{
		{"a deny in another policy of the role", lacks, func() {
			policy("other", deny)
			call(http.MethodPost, ourRole, m{"token_policies": []string{ourPolicy, "other"}})
		}, roleBack},
		{"a deny in a policy of the entity", lacks, func() {
			policy("of-entity", deny)
			call(http.MethodPost, "identity/entity/id/"+entity, m{"policies": "of-entity"})
		}, entityBack},
		{"a deny in a policy of a group", lacks, func() {
			policy("of-group", deny)
			read(http.MethodPost, "identity/group", m{"name": "ops", "policies": "of-group", "member_entity_ids": []string{entity}})
		}, func() { call(http.MethodDelete, "identity/group/name/ops", nil) }},
		{"a rule that was taken away", "auth/apps/role/r0", func() {
			policy(ourPolicy, strings.Replace(own, `path "auth/+/role/+"`, `path "auth/+/former/+"`, 1))
		}, func() { policy(ourPolicy, own) }},
		{"a closer rule that hides ours", "auth/apps/role/r43: create", func() {
			policy(ourPolicy, own+"\npath \"auth/apps/role/r43*\" { capabilities = [\"read\"] }\n")
		}, func() { policy(ourPolicy, own) }},
		{"a template", lacks, func() {
			policy("templated", `path "auth/apps/role/{{identity.entity.metadata.role}}" { capabilities = ["deny"] }`)
			call(http.MethodPost, "identity/entity/id/"+entity, m{"policies": "templated", "metadata": m{"role": "r437"}})
		}, entityBack},
		{"a path that is only listed", "auth/token/accessors/: list", func() {
			policy("other", `path "auth/token/accessors/" { capabilities = ["deny"] }`)
			call(http.MethodPost, ourRole, m{"token_policies": []string{ourPolicy, "other"}})
		}, roleBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &program{t: t, flags: p.flags, env: p.env, keys: p.keys}
			c.take()
			_, before := driver.AuditFor(t, auditLog, 0)
			wantFailure(t, p.run("run"), 70, "seed exceeds policy", c.lacks)
			entries, _ := driver.AuditFor(t, auditLog, before)
			if found := writes(entries); len(found) > 0 {
				t.Errorf("it wrote %v", found)
			}
			c.give()
			p.must(0, "run")
		})
	}
}

// TestRequestsOfRuns counts the requests of runs in Vault's audit log. One that changes
// nothing reads each object once and writes nothing; the first one, which makes everything,
// reads once what it has written, policies apart, which Vault keeps to the letter.
func TestRequestsOfRuns(t *testing.T) {
	const n = 100
	const objects, mounts = 2*n + 3, 2
	p, _, seed, auditLog := withMany(t, n)
	entries, before := driver.AuditFor(t, auditLog, 0)
	policies, roles := 0, 0
	for path, got := range readsOf(entries) {
		switch {
		case strings.HasPrefix(path, "sys/policies/acl/p"):
			policies += got
		case strings.HasPrefix(path, "auth/apps/role/r"):
			roles += got
		}
	}
	if policies != 0 || roles != n {
		t.Errorf("the first run read %d policies and %d roles, want none, and each of %d roles once", policies, roles, n)
	}

	p.must(0, "run")
	entries, before = driver.AuditFor(t, auditLog, before)
	if found := writes(entries); len(found) > 0 {
		t.Errorf("a rerun wrote %v", found)
	}
	wantReads(t, "a rerun", entries, "sys/policies/acl/p")
	wantReads(t, "a rerun", entries, "auth/apps/role/r")
	if most := objects + 2*mounts + 60; len(entries) > most {
		t.Errorf("a rerun sent %d requests, at most %d", len(entries), most)
	}
	for _, entry := range entries {
		if paths, _ := entry.Request.Data["paths"].([]any); len(paths) > 60 {
			t.Errorf("it asked about %d paths", len(paths))
		}
	}

	// Two objects differ: what was read before is not read again, and of those two the role.
	changed := strings.NewReplacer("data/42/", "data/forty-two/", "[p43]", "[p43, p44]").Replace(many(auditLog, n))
	write(t, seed, changed)
	p.must(0, "run")
	entries, _ = driver.AuditFor(t, auditLog, before)
	if got, want := writes(entries), 2; len(got) != want {
		t.Errorf("with two changes, %d objects were written: %v", len(got), got)
	}
	counts := readsOf(entries)
	for i := range n {
		if got := counts[fmt.Sprintf("sys/policies/acl/p%d", i)]; got != 1 {
			t.Errorf("with two changes, the policy p%d was read %d times, want once", i, got)
		}
		want := 1
		if i == 43 {
			want = 2
		}
		if got := counts[fmt.Sprintf("auth/apps/role/r%d", i)]; got != want {
			t.Errorf("with two changes, the role r%d was read %d times, want %d", i, got, want)
		}
	}
}

// wantReads wants every object whose path begins so to be read once.
func wantReads(t *testing.T, what string, entries driver.Audit, prefix string) {
	t.Helper()
	counts := readsOf(entries)
	if counts[prefix+"7"] == 0 {
		t.Errorf("%s did not read %s7", what, prefix)
	}
	for path, got := range counts {
		if strings.HasPrefix(path, prefix) && got != 1 {
			t.Errorf("%s read %s %d times", what, path, got)
		}
	}
}

func readsOf(entries driver.Audit) map[string]int {
	counts := map[string]int{}
	for _, entry := range entries {
		if entry.Request.Operation == "read" {
			counts[entry.Request.Path]++
		}
	}
	return counts
}
