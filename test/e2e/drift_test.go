package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// driftSeed is added to the example: objects of every stage, and somebody who may do
// anything, whom the suite changes Vault as.
const driftSeed = `
password-policies:
  - {name: strong, rules: 'length = 24 rule "charset" { charset = "abcdef" }'}
entities:
  - {name: alice, policies: [app], metadata: {team: platform}}
groups:
  - {name: platform, policies: [app], members: [alice]}
  - {name: outside, type: external}
quotas:
  rate-limits: [{name: global, rate: 100000, interval: 10s}]
ui-headers: {X-Frame-Options: DENY}
cors: {allowed_origins: ["https://ui.example"]}
tokens: {roles: [{name: ci, token_period: 1h, allowed_policies: [app]}]}
startupSecrets:
  - {type: kv, path: kv/data/app/settings, data: {data: {timeout: 1m}}}
`

// drift is a change made with a raw call, and what a plan says of it: what is done,
// and to which object; nothing for what only makes another change possible. writes are
// the calls that put it right where that is not one to the object itself.
type drift struct {
	method, path string
	in           any
	sign, object string
	writes       []string
}

// TestDriftOfEveryStage changes Vault behind our back in 23 ways at once. The program's
// plan names each object and no other, its run writes each and nothing else, and what
// others have made beside ours stays.
func TestDriftOfEveryStage(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	text := strings.NewReplacer(
		"policies:\n", "policies:\n  - {name: anything, rules: 'path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }'}\n  - {name: second, rules: 'path \"kv/data/second\" { capabilities = [\"read\"] }'}\n",
		"token_policies: [app]", "token_policies: [app]\n      - {username: root-like, password: correct-horse-battery, token_policies: [anything]}\n      - {username: bob, password: correct-horse-battery, token_policies: [app]}\n"+
			"  - type: approle\n    path: ci\n    roles: [{name: builder, token_ttl: 20m}, {name: tester, token_ttl: 20m}]",
		"  - type: transit\n", "  - type: transit\n    configuration: {keys: [{name: orders, min_decryption_version: 1}]}\n  - {type: kv, path: old, options: {version: 1}}\n"+
			"  - {type: pki, config: {max_lease_ttl: 720h}, configuration: {roles: [{name: web, allowed_domains: [example.org], max_ttl: 72h}, {name: mail, allowed_domains: [example.org]}]}}\n",
		"audit:\n", "audit:\n  - {type: file, path: second, options: {file_path: "+auditLog+".second}}\n",
	).Replace(read(t, seed)) + driftSeed
	write(t, seed, text)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	if r := p.must(0, "plan", "--seed="+seed, "--detailed-exitcode"); !strings.Contains(r.Stdout, "0 to create, 0 to update") {
		t.Fatalf("before any drift: %s", r)
	}

	call := administrator(t, cluster, "root-like")
	others := []drift{
		{"PUT", "sys/policies/acl/others", map[string]any{"policy": `path "kv/data/others" { capabilities = ["read"] }`}, "", "", nil},
		{"PUT", "auth/userpass/users/others", map[string]any{"password": "correct-horse-battery", "token_policies": "others"}, "", "", nil},
		{"PUT", "kv/data/others", map[string]any{"data": map[string]any{"a": "b"}}, "", "", nil},
		{"PUT", "identity/entity/name/others", map[string]any{"metadata": map[string]any{"a": "b"}}, "", "", nil},
	}
	for _, other := range others {
		call(other.method, other.path, other.in, nil)
	}

	changed := drifts()
	for _, d := range changed {
		call(d.method, d.path, d.in, nil)
	}
	r := p.must(3, "plan", "--seed="+seed, "--detailed-exitcode")
	var want, wanted []string
	for _, d := range changed {
		line := d.sign + " " + d.object
		if d.sign != "" {
			want = append(want, line)
		}
		if d.writes == nil {
			d.writes = []string{"update " + d.object}
		}
		wanted = append(wanted, d.writes...)
	}
	if got := planned(r.Stdout); !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("the plan names\n%s\nwant\n%s\n%s", strings.Join(sorted(got), "\n"), strings.Join(sorted(want), "\n"), r.Stdout)
	}

	_, before := driver.AuditFor(t, auditLog, 0)
	wantEvents(t, "after the drift", p.must(0, "run").Events(), "drift", "seed")
	entries, _ := driver.AuditFor(t, auditLog, before)
	written := slices.DeleteFunc(writes(entries), func(call string) bool { return strings.HasPrefix(call, "help ") })
	for i, each := range written { // Vault tells a create from an update at some endpoints only
		written[i] = strings.Replace(each, "create ", "update ", 1)
	}
	if !slices.Equal(sorted(written), sorted(wanted)) {
		t.Errorf("the run wrote\n%s\nwant\n%s", strings.Join(sorted(written), "\n"), strings.Join(sorted(wanted), "\n"))
	}
	p.must(0, "plan", "--seed="+seed, "--detailed-exitcode")
	for _, other := range others {
		var shown struct{ Data map[string]any }
		call("GET", other.path, nil, &shown)
		if len(shown.Data) == 0 {
			t.Errorf("%s is gone", other.path)
		}
	}
}

// drifts returns the changes.
func drifts() []drift {
	type m = map[string]any
	return []drift{
		{"PUT", "sys/policies/acl/app", m{"policy": `path "*" { capabilities = ["sudo"] }`}, "~", "sys/policies/acl/app", nil},
		{"DELETE", "sys/policies/acl/second", nil, "+", "sys/policies/acl/second", nil},
		{"PUT", "auth/userpass/users/ada", m{"token_policies": "app,anything"}, "~", "auth/userpass/users/ada", nil},
		{"DELETE", "auth/userpass/users/bob", nil, "+", "auth/userpass/users/bob", nil},
		{"PUT", "auth/ci/role/builder", m{"token_ttl": "9h"}, "~", "auth/ci/role/builder", nil},
		{"DELETE", "auth/ci/role/tester", nil, "+", "auth/ci/role/tester", nil},
		{"PUT", "sys/auth/userpass/tune", m{"description": "by hand"}, "~", "sys/auth/userpass", []string{"update sys/auth/userpass/tune"}},
		{"PUT", "sys/mounts/kv/tune", m{"description": "by hand"}, "~", "sys/mounts/kv", []string{"update sys/mounts/kv/tune"}},
		{"PUT", "sys/mounts/pki/tune", m{"max_lease_ttl": "99h"}, "~", "sys/mounts/pki", []string{"update sys/mounts/pki/tune"}},
		{"DELETE", "sys/mounts/old", nil, "+", "sys/mounts/old", nil},
		{"PUT", "pki/roles/web", m{"allowed_domains": "evil.example"}, "~", "pki/roles/web", nil},
		{"DELETE", "pki/roles/mail", nil, "+", "pki/roles/mail", nil},
		{"PUT", "transit/keys/orders/rotate", m{}, "", "", []string{}},
		{"PUT", "transit/keys/orders/config", m{"min_decryption_version": 2}, "~", "transit/keys/orders", []string{"update transit/keys/orders/config"}},
		{"DELETE", "sys/audit/second", nil, "+", "sys/audit/second", nil},
		{"PUT", "sys/policies/password/strong", m{"policy": `length = 8 rule "charset" { charset = "ab" }`}, "~", "sys/policies/password/strong", nil},
		{"PUT", "identity/entity/name/alice", m{"policies": []string{"anything"}, "metadata": m{"team": "other"}}, "~", "identity/entity/name/alice", nil},
		{"PUT", "identity/group/name/platform", m{"policies": []string{"anything"}}, "~", "identity/group/name/platform", nil},
		{"DELETE", "identity/group/name/outside", nil, "+", "identity/group/name/outside", nil},
		{"PUT", "sys/quotas/rate-limit/global", m{"rate": 99999, "interval": "10s"}, "~", "sys/quotas/rate-limit/global", nil},
		{"DELETE", "sys/config/ui/headers/X-Frame-Options", nil, "+", "sys/config/ui/headers/X-Frame-Options", nil},
		{"PUT", "sys/config/cors", m{"allowed_origins": "https://evil.example"}, "~", "sys/config/cors", nil},
		{"PUT", "auth/token/roles/ci", m{"orphan": true, "token_period": "2h"}, "~", "auth/token/roles/ci", nil},
		{"PUT", "kv/data/app/settings", m{"data": m{"timeout": "60"}}, "~", "kv/data/app/settings", nil},
	}
}

// administrator logs a user of userpass in and returns how calls are made as it.
func administrator(t *testing.T, cluster *testbed.VaultCluster, user string) func(method, path string, in, out any) {
	t.Helper()
	var login struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	node := cluster.Nodes[0]
	if err := node.Call(t.Context(), http.MethodPost, "auth/userpass/login/"+user, "", map[string]any{"password": "correct-horse-battery"}, &login); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, login.Auth.ClientToken)
	return func(method, path string, in, out any) {
		t.Helper()
		if err := node.Call(t.Context(), method, path, login.Auth.ClientToken, in, out); err != nil {
			t.Fatal(fmt.Errorf("%s %s: %w", method, path, err))
		}
	}
}

// planned returns the lines of a plan that say what is done to which object, without
// what is only said beside it.
func planned(plan string) (lines []string) {
	for line := range strings.Lines(plan) {
		if words := strings.Fields(line); len(words) >= 2 && slices.Contains([]string{"+", "~", "-"}, words[0]) && !strings.HasPrefix(line, "    ") {
			lines = append(lines, words[0]+" "+words[1])
		}
	}
	return lines
}

func sorted(lines []string) []string { return slices.Sorted(slices.Values(lines)) }
