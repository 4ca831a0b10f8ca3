package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// ceiling is what the policy that is made from a seed never names, with requests there.
var ceiling = []struct{ method, path string }{
	{http.MethodGet, "sys/raw/core/keyring"}, {http.MethodPut, "sys/raw/core/x"}, {http.MethodPut, "sys/seal"}, {http.MethodPut, "sys/step-down"},
	{http.MethodPut, "sys/generate-root"}, {http.MethodPut, "sys/generate-root/update"}, {http.MethodPut, "sys/generate-root-token/attempt"},
	{http.MethodPut, "sys/rekey/init"}, {http.MethodGet, "sys/rekey/backup"}, {http.MethodPut, "sys/rekey-recovery-key/init"},
	{http.MethodPut, "sys/rotate"}, {http.MethodPut, "sys/rotate/keyring"}, {http.MethodPut, "sys/rotate/root"}, {http.MethodPut, "sys/rotate/config"},
	{http.MethodGet, "sys/storage/raft/snapshot"}, {http.MethodPut, "sys/storage/raft/snapshot-force"}, {http.MethodPut, "sys/storage/raft/snapshot-auto/config/a"},
	{http.MethodPut, "sys/remount"}, {http.MethodPut, "sys/leases/revoke-force/auth/approle"}, {http.MethodPut, "sys/revoke-force/auth/approle"},
	{http.MethodPut, corePolicy}, {http.MethodDelete, corePolicy}, {http.MethodPut, "sys/policy/vault-bootstrap"},
	{http.MethodPut, "auth/approle/role/vault-bootstrap"}, {http.MethodDelete, "auth/approle/role/vault-bootstrap"},
	{http.MethodPut, "auth/approle/role/vault-bootstrap/secret-id"}, {http.MethodGet, "auth/approle/role/vault-bootstrap/role-id"}, {http.MethodPut, "auth/approle/role/vault-bootstrap/policies"},
	{http.MethodDelete, "sys/auth/approle"}, {http.MethodPut, "sys/mounts/auth/approle/tune"},
}

// wide is a seed that takes as much as the language lets it take.
const wide = `prune: owned
auth:
  - type: approle
    roles: [{name: app}]
  - {type: approle, path: deep/er/approle, roles: [{name: app}]}
  - {type: userpass, users: [{username: ada, password: correct-horse-battery}]}
secrets:
  - type: transit
    configuration: {keys: [{name: app, deletion_allowed: true}]}
  - type: pki
    configuration:
      config: [{name: urls, issuing_certificates: [https://ca.example]}]
      roles: [{name: web, allowed_domains: [example.org]}]
requests:
  - {name: crl, path: pki/tidy, data: {tidy_cert_store: true}, unless: {path: transit/keys/app}}
harden:
  profile: baseline
  advise: [audit-device]
  fix: [cors, user-lockout]
`

// TestPolicyOfSeedUnderItsCeiling merges the policy that is made from a seed with each policy of ours
// that was ever shipped, and asks a real server, path by path of the ceiling, whether the two allow
// more than ours alone.
func TestPolicyOfSeedUnderItsCeiling(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	testbed.NoteSecrets(t, "correct-horse-battery")
	seed := seeded(t, wide)
	p, _ := inFiles(t, cluster, seed)
	p.must(0, "run")
	root := rootOf(t, p, node)
	printed := func(part string) string {
		return (&program{t: t}).must(0, "seed policy", "--login=approle", "--part="+part, strings.TrimPrefix(seed, "--seed=")).Stdout
	}
	var live struct{ Data struct{ Policy string } }
	if err := node.Call(t.Context(), http.MethodGet, seedPolicy, root, nil, &live); err != nil {
		t.Fatal(err)
	}
	made := printed("seed")
	if live.Data.Policy != made {
		t.Errorf("the run wrote\n%s\nand 'seed policy' prints\n%s", live.Data.Policy, made)
	}
	cores := map[string]string{"this one": printed("core")}
	shipped, err := filepath.Glob("testdata/*/policy.hcl")
	if err != nil || len(shipped) < 2 {
		t.Fatalf("policies that were shipped: %v, %v", shipped, err)
	}
	for _, path := range shipped {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cores[path] = string(content)
	}
	token := func(policies map[string]string) string {
		var made struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		var named []string
		for name, text := range policies {
			named = append(named, name)
			if err := node.Call(t.Context(), http.MethodPut, "sys/policies/acl/"+name, root, map[string]string{"policy": text}, nil); err != nil {
				t.Fatal(err)
			}
		}
		in := map[string]any{"policies": named, "no_default_policy": true}
		if err := node.Call(t.Context(), http.MethodPost, "auth/token/create-orphan", root, in, &made); err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, made.Auth.ClientToken)
		return made.Auth.ClientToken
	}
	for name, core := range cores {
		t.Run(name, func(t *testing.T) {
			alone, both := token(map[string]string{"core": core}), token(map[string]string{"core": core, "made": made})
			for _, at := range ceiling {
				before, after := capabilitiesOf(t, node, alone, at.path), capabilitiesOf(t, node, both, at.path)
				if !slices.Equal(before, after) {
					t.Errorf("at %s the core alone may %v, and with the policy of the seed %v", at.path, before, after)
				}
				if may := slices.ContainsFunc(after, func(c string) bool { return c != "deny" && c != "read" }); may {
					continue // ceremonies, by the core: TestGuards tries them
				}
				if at.path == "sys/step-down" {
					continue // which a server that is alone takes from anybody
				}
				if at.method == http.MethodGet && slices.Contains(after, "read") {
					continue
				}
				err := node.Call(t.Context(), at.method, at.path, both, map[string]any{}, nil)
				if err == nil {
					t.Errorf("%s %s is not refused", at.method, at.path)
				}
			}
			if got := capabilitiesOf(t, node, both, "transit/keys/app"); !slices.Contains(got, "update") {
				t.Errorf("the merge does not grant what the seed takes: %v", got)
			}
		})
	}
}

// capabilitiesOf returns what a token may do at a path, sorted.
func capabilitiesOf(t *testing.T, node *testbed.VaultNode, token, path string) []string {
	t.Helper()
	var said struct{ Data map[string][]string }
	if err := node.Call(t.Context(), http.MethodPost, "sys/capabilities-self", token, map[string]any{"paths": []string{path}}, &said); err != nil {
		t.Fatal(err)
	}
	slices.Sort(said.Data[path])
	return said.Data[path]
}

// TestSeedOverTheCeiling refuses seeds that take what the policy made from them never grants, when
// they are read, with the place. With one policy for everything they are not refused.
func TestSeedOverTheCeiling(t *testing.T) {
	for name, of := range map[string]string{
		"the key that encrypts the storage": "requests:\n  - {name: n, path: sys/rotate, unless: {path: sys/mounts}}\n",
		"a snapshot schedule":               "requests:\n  - {name: n, path: sys/storage/raft/snapshot-auto/config/daily, unless: {path: sys/mounts}}\n",
		"all leases":                        "requests:\n  - {name: n, path: sys/leases/revoke-force/pki, unless: {path: sys/mounts}}\n",
		"a mount that moves":                "requests:\n  - {name: n, path: sys/remount, data: {from: a, to: b}, unless: {path: sys/mounts}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			seed := seeded(t, of)
			p, _ := inFiles(t, nil, seed, "--vault-addr=http://127.0.0.1:1", "--timeout=1s")
			offline := &program{t: t}
			wantFailure(t, p.run("run"), 65, "seed.yaml:2:5", "a policy made from a seed never grants", "--policy=fixed")
			wantFailure(t, p.run("plan", seed), 65, "seed.yaml:2:5")
			wantFailure(t, offline.run("seed policy", strings.TrimPrefix(seed, "--seed=")), 65, "seed.yaml:2:5")
			wantFailure(t, offline.run("seed validate", strings.TrimPrefix(seed, "--seed=")), 65, "seed.yaml:2:5")
			offline.must(0, "seed validate", "--policy=fixed", strings.TrimPrefix(seed, "--seed="))
			offline.must(0, "seed policy", "--policy=fixed", strings.TrimPrefix(seed, "--seed="))
		})
	}
}
