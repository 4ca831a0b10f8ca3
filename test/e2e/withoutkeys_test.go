package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// keyless is an installation of a Vault whose keys are not ours. It logs in by a JSON Web Token.
type keyless struct {
	*program
	t       *testing.T
	dir     string // of the records
	seed    string // its file
	content string // of the seed
	audit   string // Vault's log; empty if there is none
}

// withoutKeys returns the program with the flags of such an installation. extra is more of the
// seed, where the section auth has begun.
func withoutKeys(t *testing.T, cluster *testbed.VaultCluster, audited bool, flags ...string) *keyless {
	t.Helper()
	issuer := newIssuer(t)
	token := filepath.Join(t.TempDir(), "jwt")
	issuer.token(token, claimSet{subject: "ci:main", audience: "vault"})
	k := &keyless{t: t, seed: filepath.Join(t.TempDir(), "seed.yaml")}
	if audited {
		k.audit = filepath.Join(t.TempDir(), "audit.log")
		t.Cleanup(func() { driver.NoteTokens(t, k.audit) })
		k.content = fmt.Sprintf("audit:\n  - type: file\n    options:\n      file_path: %s\n      log_raw: \"true\"\n", k.audit)
	}
	k.content += fmt.Sprintf(`
auth:
  - type: jwt
    config:
      jwks_url: %s
policies:
  - name: app
    rules: path "kv/data/app/*" { capabilities = ["read"] }
secrets:
  - type: kv
    options:
      version: "2"
`, issuer.url)
	write(t, k.seed, k.content)
	k.program, k.dir = inFiles(t, cluster, append([]string{"--keys=none", "--seed=" + k.seed, "--login=jwt", "--login-token-file=" + token}, flags...)...)
	return k
}

// reading returns the flags of a verb that reads Vault and does not walk.
func (k *keyless) reading(seed bool) []string {
	return slices.DeleteFunc(slices.Clone(k.flags), func(flag string) bool {
		return !strings.HasPrefix(flag, "--login") && (!seed || !strings.HasPrefix(flag, "--seed"))
	})
}

// logIn logs in as the program does, and returns the token.
func (k *keyless) logIn(node *testbed.VaultNode) string {
	k.t.Helper()
	const flag = "--login-token-file="
	at := slices.IndexFunc(k.flags, func(each string) bool { return strings.HasPrefix(each, flag) })
	credential := strings.TrimSpace(read(k.t, strings.TrimPrefix(k.flags[at], flag)))
	var said struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	in := map[string]string{"role": "vault-bootstrap", "jwt": credential}
	if err := node.Call(k.t.Context(), http.MethodPost, "auth/jwt/login", "", in, &said); err != nil {
		k.t.Fatal(err)
	}
	testbed.NoteSecrets(k.t, said.Auth.ClientToken)
	return said.Auth.ClientToken
}

// byHand initializes a Vault that unseals itself, as a person does, and returns the root token.
func byHand(t *testing.T, node *testbed.VaultNode) string {
	t.Helper()
	var out struct {
		RecoveryKeys []string `json:"recovery_keys_base64"`
		RootToken    string   `json:"root_token"`
	}
	in := map[string]int{"recovery_shares": 1, "recovery_threshold": 1}
	if err := node.Call(t.Context(), http.MethodPost, "sys/init", "", in, &out); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(out.RecoveryKeys, out.RootToken)...)
	return out.RootToken
}

// tokenFile writes a token to a file, and returns the flag that names it.
func tokenFile(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, token+"\n")
	return "--token-file=" + file
}

// madeToken makes a token with policies.
func madeToken(t *testing.T, node *testbed.VaultNode, root string, fields map[string]any) string {
	t.Helper()
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/create-orphan", root, fields, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	return made.Auth.ClientToken
}

// wantNothingStored looks for everything that opens Vault in the records.
func (k *keyless) wantNothingStored(secrets ...string) {
	k.t.Helper()
	var record map[string]json.RawMessage
	if err := json.Unmarshal(k.keys(), &record); err != nil {
		k.t.Fatal(err)
	}
	for field := range record {
		if !slices.Contains([]string{"version", "epoch", "hash_key"}, field) {
			k.t.Errorf("the keys record has %q", field)
		}
	}
	if record["hash_key"] == nil || record["epoch"] == nil {
		k.t.Errorf("the keys record has neither an epoch nor a key of hashes: %v", record)
	}
	files, err := os.ReadDir(k.dir)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(k.dir, file.Name()))
		if err != nil {
			k.t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(content), secret) {
				k.t.Errorf("%s holds a token", file.Name())
			}
		}
		if tokens := driver.Tokens(string(content)); len(tokens) > 0 {
			k.t.Errorf("%s holds tokens", file.Name())
		}
	}
}

// wantQuietRerun runs again, and wants nothing of it but a login.
func (k *keyless) wantQuietRerun() {
	k.t.Helper()
	_, before, err := driver.ReadAudit(k.audit, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	wantEvents(k.t, "a rerun", k.must(0, "run").Events())
	entries, _, err := driver.ReadAudit(k.audit, before)
	if err != nil {
		k.t.Fatal(err)
	}
	if found := entries.Writes("jwt"); len(found) > 0 || len(entries) == 0 {
		k.t.Errorf("a rerun of %d lines wrote %q", len(entries), found)
	}
}

// wantNoBreakGlass looks at a remedy: it takes keys.
func wantNoBreakGlass(t *testing.T, r driver.Result) {
	t.Helper()
	if strings.Contains(r.Stderr, "break-glass") {
		t.Errorf("break-glass takes keys, and there are none\n%s", r)
	}
}

// TestWithoutKeys configures a Vault that a second one unseals, and that somebody else initializes.
func TestWithoutKeys(t *testing.T) {
	cluster := transitSealed(t)
	node := cluster.Nodes[0]
	k := withoutKeys(t, cluster, true)

	waiting := k.start("run", "--until=unsealed")
	waiting.Says("waiting for somebody else to initialize it", 1)
	root := byHand(t, node)
	wantEvents(t, "until it was initialized", waiting.Exits(0).Events())

	r := k.run("run")
	wantFailure(t, r, 70, "locked out", "no token is given", "--token-file", "by jwt")
	wantNoBreakGlass(t, r)

	weak := madeToken(t, node, root, map[string]any{"policies": []string{"default"}})
	wantFailure(t, k.run("run", tokenFile(t, weak)), 64, "may not do all", "Nothing was written")
	wantFailure(t, k.run("run", tokenFile(t, "hvs.nobody")), 64, "the token in the file that --token-file names is refused by Vault")
	if err := node.Call(t.Context(), http.MethodGet, "sys/policies/acl/vault-bootstrap", root, nil, nil); err == nil {
		t.Error("a token that may not do all has written a part")
	}

	first := k.must(0, "run", tokenFile(t, root))
	wantEvents(t, "the first run", first.Events(), "seed", "harden")
	if len(first.Log("our own login is proven: the token that was given is no longer used, and stays alive")) != 1 || dead(t, node, root) {
		t.Errorf("what became of the token that was given is not said, or it is dead\n%s", first)
	}
	if got := status(k.program)["state"]; got != "hardened" {
		t.Errorf("it is %v", got)
	}
	k.wantNothingStored(root, weak)
	k.wantQuietRerun()
	t.Run("reading", func(t *testing.T) { readsWithoutKeys(t, k) })
	t.Run("drift", func(t *testing.T) { mendsWithoutKeys(t, k, node, root) })
	t.Run("growing", func(t *testing.T) { growsWithoutKeys(t, k, node, root) })

	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := k.must(0, "run"); len(again.Log("unsealed")) > 0 {
		t.Errorf("we have unsealed it\n%s", again)
	}
	k.wantNothingStored(root, weak)
}

// readsWithoutKeys has the verbs that only read look at a hardened Vault.
func readsWithoutKeys(t *testing.T, k *keyless) {
	r := k.must(0, "plan", append(k.reading(true), "--detailed-exitcode")...)
	if !strings.Contains(r.Stdout, "0 to create, 0 to update") {
		t.Errorf("plan: %s", r)
	}
	r = k.must(0, "verify", append(k.reading(false), "--profile=baseline", "--deep")...)
	if !strings.Contains(r.Stdout, "none ever was") {
		t.Errorf("verify does not say what it can see of root tokens: %s", r)
	}
	if r := k.run("verify", append(k.reading(false), "--profile=production")...); strings.Count(r.Stdout, "No keys are stored: --keys=none") != 3 {
		t.Errorf("verify does not say why nothing is demanded of keys at rest: %s", r)
	}
	if r := k.must(0, "keys list"); !strings.Contains(r.Stdout, "not ours (--keys=none)") {
		t.Errorf("keys list: %s", r)
	}
	if r := k.must(0, "status"); !strings.Contains(r.Stdout, "not ours (--keys=none)") {
		t.Errorf("status: %s", r)
	}
	k.must(0, "wait", "--for=hardened", "--timeout=10s")
	wantFailure(t, k.run("verify", append(k.reading(false), "--deep", "--revoke-foreign-root")...), 64, "exclude each other")
}

// mendsWithoutKeys has a watch put drift right.
func mendsWithoutKeys(t *testing.T, k *keyless, node *testbed.VaultNode, root string) {
	watch := k.start("watch", "--interval=1s")
	watch.Says(`"leading"`, 1)
	if err := node.Call(t.Context(), http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	watch.Says(`"msg":"entered","from":"seeded"`, 1)
	if err := node.Call(t.Context(), http.MethodGet, "sys/policies/acl/app", root, nil, nil); err != nil {
		t.Errorf("the drift is still there: %v", err)
	}
	watch.Terminates()
}

// grown is a secrets engine that our policy does not know of, for the end of the seed.
const grown = `  - type: pki
    path: teams/a/pki
    configuration:
      config:
        - name: urls
          issuing_certificates: ["https://ca.example"]
`

// growsWithoutKeys lets the seed grow by what our login was not made for, and then lends a token.
func growsWithoutKeys(t *testing.T, k *keyless, node *testbed.VaultNode, root string) {
	write(t, k.seed, k.content+grown)
	wantEvents(t, "the seed that has grown", k.must(0, "run").Events(), "drift", "seed")
	lent := madeToken(t, node, root, map[string]any{"policies": []string{"root"}})
	r := k.must(0, "run", tokenFile(t, lent), "--revoke-token")
	wantEvents(t, "with a token that was given", r.Events(), "weaken", "harden")
	if len(r.Log("our own login is proven: the token that was given is revoked")) != 1 || !dead(t, node, lent) || dead(t, node, root) {
		t.Errorf("the token that was given is alive, or another is dead\n%s", r)
	}
	k.wantQuietRerun()

	// A token that nothing is left to do for is used for the proof, and no more.
	r = k.must(0, "run", tokenFile(t, root))
	if len(r.Log("a required control no longer holds")) > 0 {
		t.Errorf("a control is blamed for the token\n%s", r)
	}
	k.wantNothingStored(root, lent)
}

// TestWithoutKeysSealed waits for somebody else to unseal, and gives no share.
func TestWithoutKeysSealed(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	k := withoutKeys(t, cluster, true)
	wantFailure(t, k.run("run", "--timeout=2s"), 1, "waiting for somebody else to initialize it")
	if health(t, node) != http.StatusNotImplemented {
		t.Fatal("it was initialized")
	}
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	r := k.run("run", "--timeout=2s")
	wantFailure(t, r, 1, "to unseal it")
	wantNoBreakGlass(t, r)
	watch := k.start("watch", "--interval=1s")
	watch.Says("to unseal it", 1)
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	watch.Says("locked out", 1)
	watch.Terminates()
	k.must(0, "run", tokenFile(t, keys.RootToken))
	watch = k.start("watch", "--interval=1s")
	watch.Says(`"leading"`, 1)
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	watch.Says("to unseal it", 1)
	watch.Terminates()
	if health(t, node) != http.StatusServiceUnavailable {
		t.Error("it was unsealed")
	}
	k.wantNothingStored(append(keys.Shares, keys.RootToken)...)
}

// TestWithoutKeysRefuses shows what --keys=none does not go with, on records and tokens that are
// there.
func TestWithoutKeysRefuses(t *testing.T) {
	p, cluster, _ := hardened(t)
	before := p.keys()
	none := append(slices.Clone(p.flags), "--keys=none", "--login=userpass", "--login-password-file="+strings.TrimPrefix(tokenFile(t, "not-a-secret-of-anybody"), "--token-file="))
	other := *p
	other.flags = none
	wantFailure(t, other.run("run"), 64, "--keys=none, and the keys record holds a set of keys", "the secret ID of an AppRole", "omit --keys=none")
	wantFailure(t, other.run("watch"), 64, "the keys record holds a set of keys")
	other.flags = slices.DeleteFunc(slices.Clone(none), func(flag string) bool { return strings.HasPrefix(flag, "--seed") })
	reading := []string{"--login=userpass", none[len(none)-1]}
	wantFailure(t, other.run("verify", reading...), 64, "the keys record holds a set of keys")
	wantFailure(t, other.run("plan", append(reading, seeded(t, "secrets: []\n"))...), 64, "the keys record holds a set of keys")
	if string(before) != string(p.keys()) {
		t.Error("the keys record was written")
	}

	// Without keys in the records, this Vault is one whose keys somebody else has.
	root, child := inside(p, "")
	defer child.Kill()
	k := withoutKeys(t, cluster, false)
	wantFailure(t, k.run("run", "--login=token-file", strings.Replace(tokenFile(t, root), "--token", "--login-token", 1), tokenFile(t, root)), 64, "our own login uses the token", "give each its own token")
	batch := madeToken(t, cluster.Nodes[0], root, map[string]any{"policies": []string{"vault-bootstrap"}, "type": "batch"})
	wantFailure(t, k.run("run", tokenFile(t, batch), "--revoke-token"), 64, "a batch token, which cannot be revoked")
}

// TestWithoutKeysElsewhere is led to another Vault than before.
func TestWithoutKeysElsewhere(t *testing.T) {
	cluster := transitSealed(t)
	root := byHand(t, cluster.Nodes[0])
	k := withoutKeys(t, cluster, true)
	k.must(0, "run", tokenFile(t, root))
	other := transitSealed(t)
	otherRoot := byHand(t, other.Nodes[0])
	moved := *k.program
	moved.flags = append(slices.DeleteFunc(slices.Clone(k.flags), func(flag string) bool { return strings.HasPrefix(flag, "--vault-addr") }), driver.VaultFlags(other)...)
	began := time.Now()
	wantFailure(t, moved.run("run", tokenFile(t, otherRoot)), 70, "foreign cluster", "our checkpoint to", "delete the checkpoint")
	if time.Since(began) > time.Minute {
		t.Error("it took a minute")
	}
	if err := other.Nodes[0].Call(t.Context(), http.MethodGet, "sys/policies/acl/app", otherRoot, nil, nil); err == nil {
		t.Error("another Vault was configured")
	}
	wantFailure(t, moved.run("plan", k.reading(true)...), 70, "foreign cluster")
	if r := moved.must(3, "verify", append(k.reading(false), "--profile=baseline")...); !strings.Contains(r.Stdout, "another cluster than") {
		t.Errorf("verify has logged in: %s", r)
	}
	// As the remedy says.
	if err := os.Remove(driver.RecordFile(k.dir, "state")); err != nil {
		t.Fatal(err)
	}
	moved.must(0, "run", tokenFile(t, otherRoot))
}

// TestWithoutKeysInKubernetes works with nothing but the rules that the chart's Role has then.
func TestWithoutKeysInKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	p, namespace, auditLog := inKubernetes(t, cluster, "--keys=none")
	helm, err := testbed.LookTool("helm")
	if err != nil {
		t.Fatal(err)
	}
	role, err := exec.CommandContext(t.Context(), helm, "template", "--namespace="+namespace, "x", "../../manifests/chart/vault-bootstrap", "--set=keys.mode=none", "--show-only=templates/role.yaml").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "role.yaml")
	write(t, file, string(role))
	kubectl(t, "apply", "-n", namespace, "-f", file)
	if out := kubectl(t, "get", "role", "vault-bootstrap", "-n", namespace, "-o=yaml"); strings.Contains(out, "pods") {
		t.Fatalf("the Role still has a rule about pods: %s", out)
	}
	wantFailure(t, p.run("run", "--timeout=40s"), 70, "locked out", "--token-file")
	wantEvents(t, "the first run", p.must(0, "run", tokenFile(t, keys.RootToken), "--revoke-token").Events(), "seed", "harden")
	if !dead(t, cluster.Nodes[0], keys.RootToken) {
		t.Error("the token that was given is alive")
	}
	_, before := driver.AuditFor(t, auditLog, 0)
	wantEvents(t, "a rerun", p.must(0, "run").Events())
	entries, _ := driver.AuditFor(t, auditLog, before)
	if found := writes(entries); len(found) > 0 {
		t.Errorf("a rerun wrote %q", found)
	}
	if stored := keysIn(t, p); stored.Set != nil || stored.Root != nil || stored.Attempt != nil || stored.Epoch == 0 {
		t.Errorf("stored is %+v", stored)
	}
}

// TestWithoutKeysKilled kills a run before and after it has revoked the token that it was given.
func TestWithoutKeysKilled(t *testing.T) {
	cluster := transitSealed(t)
	node := cluster.Nodes[0]
	root := byHand(t, node)
	k := withoutKeys(t, cluster, true)
	for point, revoked := range map[string]bool{"given.proven": false, "given.revoked": true} {
		t.Run(point, func(t *testing.T) {
			lent := madeToken(t, node, root, map[string]any{"policies": []string{"root"}})
			flag := tokenFile(t, lent)
			k.stopped(point, "run", flag, "--revoke-token").Kill()
			if got := dead(t, node, lent); got != revoked {
				t.Errorf("the token is dead: %v", got)
			}
			k.wantNothingStored(root, lent)
			if revoked {
				wantFailure(t, k.run("run", flag, "--revoke-token"), 64, "is refused by Vault", "omit --token-file")
				k.must(0, "run")
				return
			}
			k.must(0, "run", flag, "--revoke-token")
			if !dead(t, node, lent) {
				t.Error("the run after the kill has not revoked the token")
			}
		})
	}
	k.wantQuietRerun()
}

// TestWithoutKeysByAdministrator lends a token that is not root, and repairs with it what somebody
// has broken.
func TestWithoutKeysByAdministrator(t *testing.T) {
	cluster := transitSealed(t)
	node := cluster.Nodes[0]
	root := byHand(t, node)
	rules := map[string]any{"policy": `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`}
	if err := node.Call(t.Context(), http.MethodPut, "sys/policies/acl/admin", root, rules, nil); err != nil {
		t.Fatal(err)
	}
	k := withoutKeys(t, cluster, true)
	admin := map[string]any{"policies": []string{"admin"}}
	lent := madeToken(t, node, root, admin)
	wantEvents(t, "the first run", k.must(0, "run", tokenFile(t, lent), "--revoke-token").Events(), "seed", "harden")
	if !dead(t, node, lent) {
		t.Error("the token is alive")
	}

	if err := node.Call(t.Context(), http.MethodDelete, "auth/jwt/role/vault-bootstrap", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	r := k.run("run")
	wantFailure(t, r, 70, "locked out", "run --token-file")
	wantNoBreakGlass(t, r)
	lent = madeToken(t, node, root, admin)
	k.must(0, "run", tokenFile(t, lent))
	if dead(t, node, lent) {
		t.Error("the token is dead, and nobody asked for that")
	}
	k.wantQuietRerun()
	k.wantNothingStored(root, lent)
}
