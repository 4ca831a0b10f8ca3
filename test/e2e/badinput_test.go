package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// wantFailure checks the exit code, what the error says, and that it has a remedy.
func wantFailure(t *testing.T, r driver.Result, code int, says ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exited with %d, want %d\n%s", r.Code, code, r)
	}
	for _, text := range says {
		if !strings.Contains(r.Stderr, text) {
			t.Errorf("the error does not say %q\n%s", text, r)
		}
	}
	failed := r.Log("failed")
	for _, line := range failed {
		if line.Fields["remedy"] == "" {
			t.Errorf("the error has no remedy: %v", line.Text("error"))
		}
	}
	// Before there is a log, the error is plain text, and its last line the remedy.
	if lines := strings.Split(strings.TrimSpace(r.Stderr), "\n"); len(failed) == 0 && len(lines) < 2 {
		t.Errorf("the error has no remedy: %s", r.Stderr)
	}
}

func wantUninitialized(t *testing.T, cluster *testbed.VaultCluster) {
	t.Helper()
	for _, node := range cluster.Nodes {
		if code := health(t, node); code != http.StatusNotImplemented {
			t.Errorf("%s answers %d: it was touched", node.Addr, code)
		}
	}
}

// TestRefusedBeforeVaultIsTouched gives what cannot work to a real, empty Vault.
func TestRefusedBeforeVaultIsTouched(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	other, err := testbed.NewCA(t.TempDir(), "another CA")
	if err != nil {
		t.Fatal(err)
	}
	addr, ca := "--vault-addr="+cluster.Nodes[0].Addr, "--ca-cert="+cluster.CAFile
	seed := func(content string) string {
		path := filepath.Join(t.TempDir(), "seed.yaml")
		write(t, path, content)
		return "--seed=" + path
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for name, test := range map[string]struct {
		flags []string
		code  int
		says  []string
	}{
		"unknown flag":          {[]string{addr, ca, "--tiemout=1m"}, 64, []string{"--tiemout", "run --help"}},
		"no such state":         {[]string{addr, ca, "--until=sealed"}, 64, []string{"--until", "hardened"}},
		"impossible split":      {[]string{addr, ca, "--key-shares=2", "--key-threshold=3"}, 64, []string{"--key-shares=2"}},
		"address without URL":   {[]string{"--vault-addr=vault:8200", ca}, 64, []string{"https://"}},
		"wrong CA":              {[]string{addr, "--ca-cert=" + other.CertFile}, 64, []string{"not trusted", "--ca-cert"}},
		"no CA":                 {[]string{addr}, 64, []string{"not trusted", "--ca-cert"}},
		"CA file missing":       {[]string{addr, "--ca-cert=/does/not/exist"}, 64, []string{"/does/not/exist"}},
		"plain HTTP to TLS":     {[]string{strings.Replace(addr, "https", "http", 1), "--timeout=1s"}, 64, []string{"expects TLS", "https://"}},
		"wrong name":            {[]string{addr, ca, "--tls-server-name=vault.example"}, 64, []string{"not trusted", "--tls-server-name"}},
		"seed missing":          {[]string{addr, ca, "--seed=/does/not/exist.yaml"}, 65, []string{"/does/not/exist.yaml"}},
		"seed with unknown key": {[]string{addr, ca, seed("polices: []\n")}, 65, []string{"seed.yaml:1:1", "polices", "policies"}},
		"seed is no YAML":       {[]string{addr, ca, seed("policies: [\n")}, 65, []string{"seed.yaml:"}},
		"seed reference":        {[]string{addr, ca, seed("policies:\n  - name: a\n    rules: '${ env \"NOT_SET\" }'\n")}, 65, []string{"seed.yaml:", "NOT_SET"}},
		"alias bomb":            {[]string{addr, ca, seed(aliasBomb())}, 65, []string{"seed.yaml:", "aliases expand to more than 100000 values"}},
		"deep nesting":          {[]string{addr, ca, seed(strings.Repeat("[", 1<<20))}, 65, []string{"seed.yaml:1", "exceeded max depth"}},
		"seed of 50 MB":         {[]string{addr, ca, seed("# " + strings.Repeat("filling ", 50<<20/8))}, 65, []string{"seed.yaml", "at most 16 MiB"}},
		"seed with a tab":       {[]string{addr, ca, seed("policies:\n\t- name: a\n")}, 65, []string{"seed.yaml:2:1", "tab"}},
		"seed with a key twice": {[]string{addr, ca, seed("policies: []\npolicies: []\n")}, 65, []string{"seed.yaml:2:1", "duplicate key", "seed.yaml:1:1"}},
		"seed with wrong types": {[]string{addr, ca, seed("secrets: [{type: kv, local: maybe}]\n")}, 65, []string{"seed.yaml:1:29", "true or false"}},
		"references in circles": {[]string{addr, ca, seed(circling)}, 65, []string{"seed.yaml:3:5", "kv/a → kv/b → kv/a"}},
		"seed without its file": {[]string{addr, ca, seed("policies:\n  - {name: a, rules: '${ file \"not-there\" }'}\n")}, 65, []string{"seed.yaml:2:", "not-there"}},
		"seed with bad policy":  {[]string{addr, ca, seed("policies:\n  - {name: a, rules: 'path {'}\n")}, 65, []string{"seed.yaml:2:5", "not a valid policy, line 1"}},
		"mount below a mount":   {[]string{addr, ca, seed("secrets: [{type: kv, path: a}, {type: kv, path: a/b}]\n")}, 65, []string{"seed.yaml:1:32", "lies below sys/mounts/a"}},
		"store is a file":       {[]string{addr, ca, "--store=file:" + file}, 64, []string{file}},
		"store below a file":    {[]string{addr, ca, "--store=file:" + file + "/store"}, 64, []string{file}},
		"no such store":         {[]string{addr, ca, "--store=etcd"}, 64, []string{"etcd", "file:DIR"}},
		"bad record name":       {[]string{addr, ca, "--name=../x"}, 64, []string{"../x"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := inFiles(t, nil)
			wantFailure(t, p.run("run", append([]string{"--timeout=20s"}, test.flags...)...), test.code, test.says...)
			wantUninitialized(t, cluster)
		})
	}
}

// circling is a seed whose values refer to each other.
const circling = `secrets: [{type: kv-v1, path: kv}]
secretsOnce:
  - {path: kv/a, data: {x: '${ vault "kv/b" "x" }'}}
  - {path: kv/b, data: {x: '${ vault "kv/a" "x" }'}}
`

// aliasBomb returns a few lines that stand for a thousand million values.
func aliasBomb() string {
	text := "auth:\n  - type: x\n    config:\n      a0: &a0 [" + strings.Repeat("x,", 10) + "]\n"
	for i := range 8 {
		text += fmt.Sprintf("      a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 10))
	}
	return text
}

func TestReadOnlyStore(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	// /proc/self takes no directory from anybody, root included.
	p := &program{t: t, flags: append(driver.VaultFlags(cluster), "--store=file:/proc/self/store")}
	wantFailure(t, p.run("run"), 64, "/proc/self/store")
	wantUninitialized(t, cluster)
}

func TestExpiredCertificate(t *testing.T) {
	ca, err := testbed.NewCA(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := ca.Issue(testbed.CertRequest{Name: "expired", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Certificate: expired})
	p, _ := inFiles(t, nil, "--vault-addr="+cluster.Nodes[0].Addr, "--ca-cert="+ca.CertFile)
	wantFailure(t, p.run("run", "--timeout=2s"), 1, "certificate must be renewed")
}

// TestWaitsForVault starts the run before the server.
func TestWaitsForVault(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	if err := cluster.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("run", "--timeout=1s"), 1, "waiting for an answer from 1 of 1 replicas", cluster.Nodes[0].Addr)

	run := p.start("run")
	run.Says("waiting for an answer", 1)
	if err := cluster.Nodes[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := run.Wait(); r.Code != 0 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
}

// TestNotOurs meets a Vault that somebody else has initialized.
func TestNotOurs(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	if _, err := cluster.Initialize(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("run"), 70, "not ours", "adopt")
	last, _ := status(p)["last_error"].(map[string]any)
	if last["name"] != "not ours" || last["remedy"] == "" {
		t.Errorf("status shows %v", last)
	}
}

// TestKeysWithoutVault meets an empty Vault where a full one was.
func TestKeysWithoutVault(t *testing.T) {
	first := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, first)
	p.must(0, "run")
	before := string(p.keys())
	empty := testbed.VaultFor(t, testbed.VaultOptions{})
	elsewhere := &program{t: t, keys: p.keys, flags: append(driver.VaultFlags(empty), "--store=file:"+dir)}
	wantFailure(t, elsewhere.run("run"), 70, "keys without a Vault")
	wantUninitialized(t, empty)
	if sharesOf(t, before) != sharesOf(t, string(p.keys())) {
		t.Error("the keys were changed")
	}
}

func sharesOf(t *testing.T, record string) string {
	t.Helper()
	secrets := testbed.SecretsIn([]byte(record))
	slices.Sort(secrets)
	return strings.Join(secrets, " ")
}

// TestForeignShares gives one Vault the keys of another.
func TestForeignShares(t *testing.T) {
	ours := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, ours)
	p.must(0, "run")
	foreign := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := foreign.Initialize(t.Context(), 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := &program{t: t, keys: p.keys, flags: append(driver.VaultFlags(foreign), "--store=file:"+dir)}
	wantFailure(t, elsewhere.run("run"), 70, "foreign cluster", "do not unseal")

	// Unsealed by its owner, it is still foreign, and gets to see no secret.
	if err := foreign.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, elsewhere.run("run"), 70, "foreign cluster", "two different Vaults")
}

// TestUnwritableAuditDevice declares a file audit device that Vault cannot write.
func TestUnwritableAuditDevice(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "audit:\n  - type: file\n    options:\n      file_path: "+file+"/audit.log\npolicies:\n  - name: app\n    rules: 'path \"kv/*\" { capabilities = [\"read\"] }'\n")
	p, _ := inFiles(t, cluster, "--seed="+seed)
	wantFailure(t, p.run("run"), 1, "sys/audit/file", file, "seed.yaml:2")

	// The rest was applied; the rerun after the repair does what is left.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	again := p.must(0, "run")
	wantEvents(t, "rerun", again.Events(), "seed", "harden")
	if wrote := again.Log("wrote"); len(wrote) != 1 || wrote[0].Text("object") != "sys/audit/file" {
		t.Errorf("the rerun wrote %v", wrote)
	}
}

// TestAuditBlocksUnseal takes the only audit device's target away from a Vault
// that restarts.
func TestAuditBlocksUnseal(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	dir := filepath.Join(t.TempDir(), "audit")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "audit:\n  - type: file\n    options:\n      file_path: "+dir+"/audit.log\n")
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "in the way")
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run"), 70, "audit blocks unseal", "second audit device")

	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.must(0, "run")
}

// TestLockedOut takes our role away.
func TestLockedOut(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	run := p.stopped("entered.unsealed", "run")
	root := keysIn(t, p).Root.Token
	orphan := struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}{}
	node := cluster.Nodes[0]
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/create-orphan", root, map[string]any{"policies": []string{"root"}}, &orphan); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, orphan.Auth.ClientToken)
	run.Send(sigcont)
	if r := run.Wait(); r.Code != 0 {
		t.Fatalf("exited with %d\n%s", r.Code, r)
	}
	if err := node.Call(t.Context(), http.MethodDelete, "auth/approle/role/vault-bootstrap", orphan.Auth.ClientToken, nil, nil); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run"), 70, "locked out", "break-glass run")
}

// TestSeedExceedsPolicy lets the seed grow beyond what our login may do by a fixed policy.
func TestSeedExceedsPolicy(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "secrets:\n  - type: kv\n")
	p, _ := inFiles(t, cluster, "--seed="+seed, "--policy=fixed")
	p.must(0, "run")
	write(t, seed, "secrets:\n  - type: kv\nauth:\n  - type: approle\n    path: deep/er/approle\n    roles:\n      - name: app\n")
	wantFailure(t, p.run("run"), 70, "seed exceeds policy", "auth/deep/er/approle/role/app", "seed policy")
}
