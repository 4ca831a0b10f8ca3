package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// refused is what Vault refuses of halfRefused.
const refused = ", {name: bad, key_type: nonsense}"

func halfRefused(audit string) string {
	return fmt.Sprintf("audit:\n  - {type: file, options: {file_path: %s, log_raw: \"true\"}}\nsecrets:\n  - {type: pki, configuration: {roles: [{name: mail, ttl: 1h}%s]}}\n", audit, refused)
}

// wantNoRootAlive looks at all tokens with our own login.
func wantNoRootAlive(t *testing.T, p *program, node *testbed.VaultNode) {
	t.Helper()
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
	token := ownToken(t, p, node)
	var listed struct{ Data struct{ Keys []string } }
	if err := node.Call(t.Context(), "LIST", "auth/token/accessors", token, nil, &listed); err != nil {
		t.Fatal(err)
	}
	for _, accessor := range listed.Data.Keys {
		var shown struct{ Data struct{ Policies []string } }
		err := node.Call(t.Context(), http.MethodPost, "auth/token/lookup-accessor", token, map[string]string{"accessor": accessor}, &shown)
		if err == nil && slices.Contains(shown.Data.Policies, "root") {
			t.Errorf("the root token %s is alive", accessor)
		}
	}
}

// TestRootGoesBeforeTheSeed has Vault refuse one object of the first run. Root is gone all the same,
// and after the seed is corrected our login finishes; so it does if the first run was killed on the
// way.
func TestRootGoesBeforeTheSeed(t *testing.T) {
	for _, point := range []string{"", "login.audited", "login.made", "login.proven", "harden.revoked", "login.alone", "policy.grown", "seed.applied"} {
		t.Run("killed at "+point, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			seed, audit := filepath.Join(t.TempDir(), "seed.yaml"), filepath.Join(t.TempDir(), "audit.log")
			t.Cleanup(func() { driver.NoteTokens(t, audit) })
			write(t, seed, halfRefused(audit))
			p, _ := inFiles(t, cluster, "--seed="+seed, "--timeout=60s")
			if point != "" {
				killedAt(p, point)
			}
			r := p.must(1, "run")
			if strings.Contains(r.Stderr, "the root token is stored") {
				t.Errorf("it says that root is stored\n%s", r)
			}
			wantNoRootAlive(t, p, cluster.Nodes[0])
			shown := status(p)
			last, _ := shown["last_error"].(map[string]any)
			if shown["state"] != "unsealed" || shown["root_token_since"] != nil || last["kind"] != "partial" || shown["policy_grows"] != true {
				t.Errorf("the status is %v", shown)
			}
			_, before := driver.AuditFor(t, audit, 0)
			write(t, seed, strings.Replace(halfRefused(audit), "nonsense", "rsa", 1))
			wantEvents(t, "the next run", p.must(0, "run").Events(), "seed", "harden")
			entries, _ := driver.AuditFor(t, audit, before)
			for _, each := range entries {
				if slices.Contains(each.Auth.Policies, "root") {
					t.Errorf("%s was done as root", each.Call())
				}
			}
			wantEvents(t, "the run after that", p.must(0, "run").Events())
		})
	}
}

// TestRootGoesWhateverTheSeedRefersTo has a first seed that no run can plan.
func TestRootGoesWhateverTheSeedRefersTo(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "secrets: [{type: kv}]\npolicies:\n  - name: app\n    rules: 'path \"${ accessor \"nowhere\" }\" { capabilities = [\"read\"] }'\n")
	p, _ := inFiles(t, cluster, "--seed="+seed, "--timeout=60s")
	wantFailure(t, p.run("run"), 65, "nowhere")
	wantNoRootAlive(t, p, cluster.Nodes[0])
	write(t, seed, "secrets: [{type: kv}]\n")
	wantEvents(t, "the next run", p.must(0, "run").Events(), "seed", "harden")
}

// TestRootStaysWithoutLogin has Vault refuse our own login: nothing can take the place of root, so it
// stays, and every output says so.
func TestRootStaysWithoutLogin(t *testing.T) {
	issuer, cluster := newIssuer(t), testbed.VaultFor(t, testbed.VaultOptions{})
	token, seed := filepath.Join(t.TempDir(), "jwt"), filepath.Join(t.TempDir(), "seed.yaml")
	issuer.token(token, claimSet{subject: "ci:main", audience: "vault"})
	broken := fmt.Sprintf("auth:\n  - {type: jwt, config: {jwks_url: %s}}\nsecrets: [{type: kv}]\n", "http://127.0.0.1:1/jwks")
	write(t, seed, broken)
	ending := filepath.Join(t.TempDir(), "termination-log")
	write(t, ending, "")
	p, _ := inFiles(t, cluster, "--seed="+seed, "--login=jwt", "--login-token-file="+token)
	r := p.run("run", "--timeout=20s", "--termination-log="+ending)
	wantFailure(t, r, 1, "setting up our own login", "the root token is stored since 20")
	if !strings.Contains(read(t, ending), "the root token is stored since 20") {
		t.Errorf("the termination message says %q", read(t, ending))
	}
	if keysIn(t, p).Root == nil {
		t.Fatal("root is gone, and there is no login")
	}
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodGet, "kv/config", "", nil, nil); err == nil {
		t.Error("the seed was applied")
	}
	shown := status(p)
	if since, _ := shown["root_token_since"].(string); !strings.HasPrefix(since, "20") {
		t.Errorf("the status is %v", shown)
	}
	if table := p.must(0, "status").Stdout; !strings.Contains(table, "stored since 20") {
		t.Errorf("the status shows\n%s", table)
	}
	write(t, seed, strings.Replace(broken, "http://127.0.0.1:1/jwks", issuer.url, 1))
	wantEvents(t, "the next run", p.must(0, "run").Events(), "seed", "harden")
	if shown := status(p); shown["root_token_since"] != nil || shown["state"] != "hardened" {
		t.Errorf("the status is %v", shown)
	}
}

// TestFixedPolicy keeps one policy for everything, which is proven before root goes. Such an
// installation, as earlier versions made it, goes on without the flag: what it cannot do is to grow,
// which it says, until root has written its policies once.
func TestFixedPolicy(t *testing.T) {
	p, cluster, watch := hardened(t, "--policy=fixed")
	node := cluster.Nodes[0]
	if err := node.Call(t.Context(), http.MethodGet, seedPolicy, watch.token, nil, nil); err == nil {
		t.Error("there is a policy that is made from the seed")
	}
	p.flags = slices.DeleteFunc(p.flags, func(flag string) bool { return flag == "--policy=fixed" })
	r := p.must(0, "run")
	wantEvents(t, "a later version", r.Events())
	if !strings.Contains(r.Stderr, "our policy does not grow with the seed") || !strings.Contains(r.Stderr, "break-glass run --reason") {
		t.Errorf("the log does not say what is missing\n%s", r)
	}
	if shown := status(p); shown["policy_grows"] != false || !strings.Contains(p.must(0, "status").Stdout, "break-glass run") {
		t.Errorf("the status is %v", shown)
	}
	watch.ask(http.MethodDelete, "sys/mounts/kv", nil, nil)
	wantEvents(t, "a drift", p.must(0, "run").Events(), "drift", "seed")
	seed := filepath.Join(t.TempDir(), "grown.yaml")
	write(t, seed, "secrets:\n  - type: kv\n  - {type: transit, configuration: {keys: [{name: app}]}}\n")
	p.flags = append(slices.DeleteFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") }), "--seed="+seed)
	wantFailure(t, p.run("run"), 70, "seed exceeds policy", "transit/keys/app", "break-glass run --reason")
	p.must(0, "break-glass run", because)
	watch.wantNoRoot("break-glass run")
	if shown := status(p); shown["policy_grows"] != true {
		t.Errorf("the status is %v", shown)
	}
	write(t, seed, read(t, seed)+"  - {type: pki, configuration: {roles: [{name: web, ttl: 1h}]}}\n")
	r = p.must(0, "run")
	wantEvents(t, "a seed that has grown", r.Events(), "drift", "seed")
	if strings.Contains(r.Stderr, "does not grow") {
		t.Errorf("it still says so\n%s", r)
	}
	wantEvents(t, "the next run", p.must(0, "run").Events())
}
