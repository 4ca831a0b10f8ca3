package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const (
	corePolicy = "sys/policies/acl/vault-bootstrap"
	seedPolicy = "sys/policies/acl/vault-bootstrap-seed"
)

// growing is a hardened Vault whose later runs log in by jwt, so that there is a role that only
// reads, with a seed that is about to grow.
type growing struct {
	*program
	node        *testbed.VaultNode
	seed, audit string
	content     string
	jwt         string
}

// growingFor hardens a Vault with a small seed.
func growingFor(t *testing.T, flags ...string) *growing {
	t.Helper()
	issuer, cluster := newIssuer(t), testbed.VaultFor(t, testbed.VaultOptions{})
	g := &growing{node: cluster.Nodes[0], seed: filepath.Join(t.TempDir(), "seed.yaml"), audit: filepath.Join(t.TempDir(), "audit.log"), jwt: filepath.Join(t.TempDir(), "jwt")}
	issuer.token(g.jwt, claimSet{subject: "ci:main", audience: "vault"})
	t.Cleanup(func() { driver.NoteTokens(t, g.audit) })
	testbed.NoteSecrets(t, "correct-horse-battery")
	g.content = fmt.Sprintf(`prune: owned
audit:
  - type: file
    options: {file_path: %s, log_raw: "true"}
auth:
  - type: jwt
    config: {jwks_url: %s}
secrets:
  - type: kv
`, g.audit, issuer.url)
	write(t, g.seed, g.content)
	g.program, _ = inFiles(t, cluster, append(flags, "--login=jwt", "--login-token-file="+g.jwt, "--seed="+g.seed)...)
	g.must(0, "run")
	return g
}

// plan plans with the flags of a run that plan knows.
func (g *growing) plan(code int, flags ...string) driver.Result {
	return g.must(code, "plan", append(flags, "--detailed-exitcode", "--login=jwt", "--login-token-file="+g.jwt, "--seed="+g.seed)...)
}

// login returns a token of our own role.
func (g *growing) login(t *testing.T) string {
	t.Helper()
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	in := map[string]string{"role": "vault-bootstrap", "jwt": strings.TrimSpace(read(t, g.jwt))}
	if err := g.node.Call(t.Context(), http.MethodPost, "auth/jwt/login", "", in, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	return made.Auth.ClientToken
}

// text returns what Vault has of a policy, as our login sees it.
func (g *growing) text(t *testing.T, token, path string) string {
	t.Helper()
	var shown struct{ Data struct{ Policy string } }
	if err := g.node.Call(t.Context(), http.MethodGet, path, token, nil, &shown); err != nil {
		t.Fatal(err)
	}
	return shown.Data.Policy
}

// grownSeed is what the second day asks for; a server with namespaces gets one.
func (g *growing) grownSeed(t *testing.T) string {
	grown := strings.Replace(g.content, "secrets:\n", `  - type: userpass
    path: people
    users: [{username: ada, password: correct-horse-battery}]
password-policies:
  - name: long
    rules: |
      length = 24
      rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" }
secrets:
  - type: transit
    configuration: {keys: [{name: app, deletion_allowed: true}]}
  - type: pki
    configuration: {roles: [{name: web, allowed_domains: [example.org]}]}
`, 1)
	if testbed.FactsFor(t).Product == testbed.OpenBao {
		grown += "namespaces:\n  - path: team\n    secrets: [{type: kv, path: notes}]\n"
	}
	return grown
}

// TestGrowsWithTheSeed has the seed grow by what our login was never made for, and shrink again: a
// plain run does it, and the plan shows which rules our policy gains and loses.
func TestGrowsWithTheSeed(t *testing.T) {
	g := growingFor(t)
	_, before := driver.AuditFor(t, g.audit, 0)
	core := g.text(t, g.login(t), corePolicy)
	write(t, g.seed, g.grownSeed(t))

	shown := g.plan(3)
	for _, want := range []string{"~ " + seedPolicy, "      + transit/keys/+: create, read, update", "~ " + corePolicy + "-read", "+ transit/keys/app", "+ pki/roles/web", "+ sys/policies/password/long"} {
		if !strings.Contains(shown.Stdout, want) {
			t.Errorf("the plan does not show %q\n%s", want, shown.Stdout)
		}
	}
	var plan struct {
		Changes []struct {
			ID     string
			Gained []string `json:"gained_rules"`
			Lost   []string `json:"lost_rules"`
		}
	}
	if err := json.Unmarshal([]byte(g.plan(3, "-o=json").Stdout), &plan); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(plan.Changes, func(c struct {
		ID     string
		Gained []string `json:"gained_rules"`
		Lost   []string `json:"lost_rules"`
	}) bool {
		return c.ID == seedPolicy
	})
	if at < 0 || !slices.ContainsFunc(plan.Changes[at].Gained, func(rule string) bool { return strings.HasPrefix(rule, "pki/roles/+: ") }) {
		t.Errorf("for machines the plan shows %+v", plan.Changes)
	}

	wantEvents(t, "the seed that has grown", g.must(0, "run").Events(), "drift", "seed")
	g.plan(0)
	wantEvents(t, "the next run", g.must(0, "run").Events())
	token := g.login(t)
	if now := g.text(t, token, seedPolicy); !strings.Contains(now, `"transit/keys/+"`) || strings.Contains(core, "transit") {
		t.Errorf("the policy of the seed is\n%s", now)
	}
	if g.text(t, token, corePolicy) != core {
		t.Error("our own policy was written")
	}
	// What is new in the mounts that are there already is read only once the policy has grown.
	write(t, g.seed, strings.Replace(g.grownSeed(t), "{roles:", "{config: [{name: urls, issuing_certificates: [https://ca.example]}], roles:", 1))
	if r := g.plan(3); !strings.Contains(r.Stdout, "Not compared: our login may read it once its policy has grown") {
		t.Errorf("the plan says\n%s", r.Stdout)
	}
	g.must(0, "run")
	g.plan(0)

	write(t, g.seed, strings.Replace(g.grownSeed(t), "    configuration: {keys: [{name: app, deletion_allowed: true}]}\n", "", 1))
	if r := g.plan(3); !strings.Contains(r.Stdout, "- transit/keys/app  (no longer in the seed)") {
		t.Errorf("the plan says\n%s", r.Stdout)
	}
	g.must(0, "run")
	g.must(0, "run")
	if now := g.text(t, token, seedPolicy); strings.Contains(now, "transit/keys") {
		t.Errorf("after pruning, the policy of the seed is\n%s", now)
	}
	wantEvents(t, "after pruning", g.must(0, "run").Events())

	entries, _ := driver.AuditFor(t, g.audit, before)
	for _, each := range entries {
		if slices.Contains(each.Auth.Policies, "root") {
			t.Errorf("%s was done as root", each.Call())
		}
	}
}

// TestPolicyOfSeedDrifts has somebody edit the policy that is made from the seed, and delete it.
func TestPolicyOfSeedDrifts(t *testing.T) {
	g := growingFor(t)
	write(t, g.seed, g.grownSeed(t))
	g.must(0, "run")
	token := g.login(t)
	made := g.text(t, token, seedPolicy)
	for name, spoil := range map[string]func() error{
		"edited": func() error {
			return g.node.Call(t.Context(), http.MethodPut, seedPolicy, token, map[string]string{"policy": `path "secret/*" { capabilities = ["read"] }`}, nil)
		},
		"widened": func() error {
			return g.node.Call(t.Context(), http.MethodPut, seedPolicy, token, map[string]string{"policy": made + `path "secret/*" { capabilities = ["read"] }`}, nil)
		},
		"deleted": func() error { return g.node.Call(t.Context(), http.MethodDelete, seedPolicy, g.deleter(t), nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			wantEvents(t, "the run", g.must(0, "run").Events(), "drift", "seed")
			if g.text(t, token, seedPolicy) != made {
				t.Errorf("the policy is\n%s", g.text(t, token, seedPolicy))
			}
			wantEvents(t, "the next run", g.must(0, "run").Events())
		})
	}
}

// deleter returns a token of somebody who may delete policies.
func (g *growing) deleter(t *testing.T) string {
	t.Helper()
	return rootOf(t, g.program, g.node)
}

// TestGrownPolicyIsKilled kills a run that grows at each point, rolls the seed back, and grows again.
func TestGrownPolicyIsKilled(t *testing.T) {
	g := growingFor(t)
	for _, point := range []string{"policy.grown", "seed.applied", "policy.narrowed"} {
		t.Run(point, func(t *testing.T) {
			write(t, g.seed, g.content)
			g.must(0, "run")
			small := g.text(t, g.login(t), seedPolicy)
			write(t, g.seed, g.grownSeed(t))
			if point == "policy.narrowed" { // which is reached by pruning
				g.must(0, "run")
				write(t, g.seed, strings.Replace(g.grownSeed(t), "    configuration: {keys: [{name: app, deletion_allowed: true}]}\n", "", 1))
			}
			killedAt(g.program, point)
			write(t, g.seed, g.content)
			g.must(0, "run")
			g.must(0, "run")
			if now := g.text(t, g.login(t), seedPolicy); now != small && !strings.Contains(now, "sys/mounts/") {
				t.Errorf("rolled back, the policy of the seed is\n%s\nand was\n%s", now, small)
			}
			wantEvents(t, "rolled back", g.must(0, "run").Events())
			write(t, g.seed, g.grownSeed(t))
			g.must(0, "run")
			wantEvents(t, "grown again", g.must(0, "run").Events())
		})
	}
}
