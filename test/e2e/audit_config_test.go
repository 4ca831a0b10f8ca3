package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// auditGuard is a server that takes audit devices from its configuration only.
type auditGuard struct {
	program *program
	node    *testbed.VaultNode
	store   string
	// configure has the configuration declare the device of stanza.
	configure func(stanza string)
	// replace takes the stanza old away, which disables its device, and then adds another; nil where
	// the configuration is emulated.
	replace func(old, stanza string)
}

// root makes a root token from the stored shares.
func (g *auditGuard) root(t *testing.T) string {
	t.Helper()
	root, err := g.node.GenerateRoot(t.Context(), keysIn(t, g.program).Set.Vault())
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, root)
	return root
}

// wantNothingButLogin looks at a run that a missing device has ended: it has set up our own login,
// and has written nothing else of the seed. Root is gone.
func (g *auditGuard) wantNothingButLogin(t *testing.T, r driver.Result) {
	t.Helper()
	for _, line := range r.Log("wrote") {
		if object := line.Text("object"); !strings.Contains(object, "vault-bootstrap") && object != "sys/auth/approle" {
			t.Errorf("it has written %s", object)
		}
	}
	wantNoRootAlive(t, g.program, g.node)
	if shown := status(g.program); shown["root_token_since"] != nil {
		t.Errorf("the status is %v", shown)
	}
}

// devices returns the audit devices that are enabled, as their paths.
func (g *auditGuard) devices(t *testing.T, token string) map[string]any {
	t.Helper()
	var devices struct{ Data map[string]any }
	if err := g.node.Call(t.Context(), http.MethodGet, "sys/audit", token, nil, &devices); err != nil {
		t.Fatal(err)
	}
	return devices.Data
}

// guardedServer starts OpenBao if the suites run against it. Otherwise it stands in front of Vault,
// which has no such setting, and answers as OpenBao 2.6.2 does.
func guardedServer(t *testing.T, seed string) *auditGuard {
	t.Helper()
	if testbed.FactsFor(t).Product != testbed.OpenBao {
		return emulatedGuard(t, seed)
	}
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Guarded: true, ListenerConfig: "  disable_unauthed_generate_root_endpoints = false\n"})
	p, dir := inFiles(t, cluster, "--seed="+seed)
	g := &auditGuard{program: p, node: cluster.Nodes[0], store: dir}
	reload := func(change func(config string) string) {
		content, err := os.ReadFile(g.node.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		write(t, g.node.ConfigFile, change(string(content)))
		if err := syscall.Kill(g.node.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	g.configure = func(stanza string) {
		reload(func(config string) string { return config + stanza })
	}
	g.replace = func(old, stanza string) {
		root := g.root(t)
		reload(func(config string) string { return strings.Replace(config, old, "", 1) })
		within(t, time.Minute, "the end of the device", func() bool { return g.devices(t, root)["trail/"] == nil })
		g.configure(stanza)
		within(t, time.Minute, "the new device", func() bool { return g.devices(t, root)["trail/"] != nil })
	}
	return g
}

func emulatedGuard(t *testing.T, seed string) *auditGuard {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	proxy.Inject(testbed.Fault{
		Method: http.MethodPut, Path: "/v1/sys/audit/*", Status: 400,
		Body: `{"errors":["cannot enable audit device via API; use declarative, config-based audit device management instead"]}`,
	})
	settings := func(audits string) testbed.Fault {
		return testbed.Fault{
			Method: http.MethodGet, Path: "/v1/sys/config/state/sanitized", Status: 200,
			Body: `{"data":{"unsafe_allow_api_audit_creation":false` + audits + `}}`,
		}
	}
	proxy.Inject(settings(""))
	p, dir := inFiles(t, nil, "--seed="+seed, "--vault-addr="+proxy.URL)
	g := &auditGuard{program: p, node: cluster.Nodes[0], store: dir}
	g.configure = func(stanza string) {
		var file string
		for line := range strings.SplitSeq(stanza, "\n") {
			if name, value, found := strings.Cut(strings.TrimSpace(line), " = "); found && name == "file_path" {
				file = strings.Trim(value, `"`)
			}
		}
		device := map[string]any{"type": "file", "description": "all", "options": map[string]string{"file_path": file}}
		if err := g.node.Call(t.Context(), http.MethodPut, "sys/audit/trail", g.root(t), device, nil); err != nil {
			t.Fatal(err)
		}
		proxy.Clear()
		proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/audit/*", Status: 400, Body: `{"errors":["path already in use"]}`})
		proxy.Inject(settings(`,"audits":[{"path":"trail/","type":"file","description":"all"}]`))
	}
	return g
}

func auditSeed(file, description string) string {
	return fmt.Sprintf("audit:\n  - type: file\n    path: trail\n    description: %s\n    options: {file_path: %s}\n"+
		"policies:\n  - name: app\n    rules: path \"kv/*\" { capabilities = [\"read\"] }\n", description, file)
}

// TestAuditByConfiguration brings up a server that takes audit devices from its configuration only:
// nothing but our own login is written before the device is there, which then ends root; plan says
// what to do, and the device that the configuration makes is the seed's.
func TestAuditByConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, file := filepath.Join(dir, "seed.yaml"), filepath.Join(dir, "audit.log")
	write(t, seed, auditSeed(file, "all"))
	g := guardedServer(t, seed)
	p := g.program

	stanza := fmt.Sprintf("audit \"file\" \"trail\" {\n  description = \"all\"\n  options = {\n    file_path = %q\n  }\n}", file)
	first := p.run("run")
	wantFailure(t, first, 70, "audit by configuration")
	if remedy := first.Log("failed")[0].Text("remedy"); !strings.Contains(remedy, stanza) || !strings.Contains(remedy, "SIGHUP") {
		t.Errorf("the remedy is\n%s", remedy)
	}
	g.wantNothingButLogin(t, first)
	again := p.run("run")
	wantFailure(t, again, 70, "audit by configuration")
	if wrote := again.Log("wrote"); len(wrote) > 0 {
		t.Errorf("the second run has written %v", wrote)
	}

	wantFailure(t, p.run("plan", "--seed="+seed), 70, "audit by configuration")
	machine := p.must(70, "plan", "--seed="+seed, "-o", "json")
	var plan struct {
		Refusals []struct{ ID, Stanza string }
	}
	if err := json.Unmarshal([]byte(machine.Stdout), &plan); err != nil || len(plan.Refusals) != 1 || strings.TrimSpace(plan.Refusals[0].Stanza) != stanza {
		t.Fatalf("%v\n%s", err, machine)
	}

	root := g.root(t)
	g.configure(plan.Refusals[0].Stanza)
	within(t, time.Minute, "the device", func() bool { return g.devices(t, root)["trail/"] != nil })
	second := p.must(0, "run")
	for _, line := range second.Log("wrote") {
		if line.Text("object") == "sys/audit/trail" {
			t.Error("it has written the device that is there")
		}
	}
	p.must(0, "plan", "--seed="+seed, "--detailed-exitcode")
	if wrote := p.must(0, "run").Log("wrote"); len(wrote) > 0 {
		t.Errorf("the rerun has written %v", wrote)
	}

	var judged struct{ Controls []struct{ ID, Status string } }
	if err := json.Unmarshal([]byte(p.run("verify", "--seed="+seed, "-o", "json").Stdout), &judged); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, control := range judged.Controls {
		if (control.ID == "audit-device" || control.ID == "audit-raw") && control.Status == "holds" {
			held++
		}
	}
	if held != 2 {
		t.Errorf("%d of the 2 controls about audit devices hold: %v", held, judged.Controls)
	}

	write(t, seed, auditSeed(file, "everything"))
	changed := p.run("run")
	wantFailure(t, changed, 70, "audit by configuration", "Not in one step", `description = \"everything\"`)
	if strings.Contains(changed.Stderr, "audit disable") {
		t.Errorf("it advises what the server refuses\n%s", changed)
	}
	if g.replace != nil {
		g.replace(plan.Refusals[0].Stanza, strings.Replace(plan.Refusals[0].Stanza, `"all"`, `"everything"`, 1))
		p.must(0, "run")
	}
}

// TestAuditStanzaBlocksUnseal changes the stanza of a device that is there, with which OpenBao does
// not unseal.
func TestAuditStanzaBlocksUnseal(t *testing.T) {
	if testbed.FactsFor(t).Product != testbed.OpenBao {
		testbed.NotApplicable(t, "it has no audit devices in its configuration")
	}
	t.Parallel()
	dir := t.TempDir()
	seed, file := filepath.Join(dir, "seed.yaml"), filepath.Join(dir, "audit.log")
	write(t, seed, "policies: []\n")
	g := guardedServer(t, seed)
	g.program.must(0, "run")
	before, err := os.ReadFile(g.node.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	stanza := fmt.Sprintf("audit \"file\" \"trail\" {\n  options = {\n    file_path = %q\n  }\n}\n", file)
	g.configure(stanza)
	within(t, time.Minute, "the device", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	restart := func(config string) {
		write(t, g.node.ConfigFile, config)
		if err := g.node.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	restart(string(before) + strings.Replace(stanza, "{", "{\n  description = \"another\"", 1))
	wantFailure(t, g.program.run("run"), 70, "audit blocks unseal", "put its stanza back as it was")
	restart(string(before) + stanza)
	g.program.must(0, "run")

	// Another one cannot be set up.
	blocked := filepath.Join(dir, "blocked")
	write(t, blocked, "in the way")
	restart(string(before) + stanza + strings.NewReplacer("trail", "second", file, filepath.Join(blocked, "audit.log")).Replace(stanza))
	wantFailure(t, g.program.run("run"), 70, "audit blocks unseal", "Make the device's target work again")
}

// TestAuditBlocksActivation takes the only audit device's target away from a server on raft. It
// unseals, and gives up becoming active again and again, which only its log explains: the remedy says
// where to look.
func TestAuditBlocksActivation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, target := filepath.Join(dir, "seed.yaml"), filepath.Join(dir, "audit")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, seed, auditSeed(filepath.Join(target, "audit.log"), "all"))
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Storage: "raft"})
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
	write(t, target, "in the way")
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run", "--timeout=10s"), 1, "no replica is active", "failed to setup audit table")
}

// TestAuditRefused has a login whose policy does not show the server's settings: the server's refusal
// of the device ends the run before anything else is written.
func TestAuditRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := filepath.Join(dir, "seed.yaml")
	write(t, seed, auditSeed(filepath.Join(dir, "audit.log"), "all"))
	g := emulatedGuard(t, seed)
	proxy := testbed.HTTPProxyFor(t, strings.TrimPrefix(g.program.flags[len(g.program.flags)-1], "--vault-addr="))
	proxy.Inject(testbed.Fault{Method: http.MethodGet, Path: "/v1/sys/config/state/sanitized", Status: 403, Body: `{"errors":["permission denied"]}`})
	g.program.flags[len(g.program.flags)-1] = "--vault-addr=" + proxy.URL
	r := g.program.run("run")
	wantFailure(t, r, 70, "audit by configuration", `audit \"file\" \"trail\"`)
	g.wantNothingButLogin(t, r)
}

// TestAuditConfiguredBefore has the configuration declare the devices from the start: with the same
// in the seed, and with none there, the first run finishes.
func TestAuditConfiguredBefore(t *testing.T) {
	if testbed.FactsFor(t).AuditByAPI {
		testbed.NotApplicable(t, "it has no audit devices in its configuration")
	}
	for name, seed := range map[string]func(file string) string{
		"declared":     func(file string) string { return auditSeed(file, "all") },
		"not declared": func(string) string { return "policies: []\n" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, file := filepath.Join(t.TempDir(), "seed.yaml"), filepath.Join(t.TempDir(), "audit.log")
			write(t, path, seed(file))
			stanza := fmt.Sprintf("audit \"file\" \"trail\" {\n  description = \"all\"\n  options = {\n    file_path = %q\n  }\n}\n", file)
			cluster := testbed.VaultFor(t, testbed.VaultOptions{Guarded: true, ExtraConfig: stanza})
			p, _ := inFiles(t, cluster, "--seed="+path)
			p.must(0, "run")
			wantNoRootAlive(t, p, cluster.Nodes[0])
			if shown := status(p); shown["state"] != "hardened" || shown["root_token_since"] != nil {
				t.Errorf("the status is %v", shown)
			}
			if wrote := p.must(0, "run").Log("wrote"); len(wrote) > 0 {
				t.Errorf("the rerun has written %v", wrote)
			}
		})
	}
}

// TestNoAuditDevice writes to a server that records nothing, which is said before.
func TestNoAuditDevice(t *testing.T) {
	t.Parallel()
	const warning = "no audit device is enabled, and the seed declares none"
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "policies:\n  - name: app\n    rules: path \"kv/*\" { capabilities = [\"read\"] }\n")
	p, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--seed="+seed)
	first := p.must(0, "run")
	before, _, written := strings.Cut(first.Stderr, `"wrote"`)
	if !written || !strings.Contains(before, warning) {
		t.Errorf("it is not said before the first write\n%s", first)
	}
	if r := p.must(0, "run"); strings.Contains(r.Stderr, warning) {
		t.Errorf("it is said although nothing is written\n%s", r)
	}
	write(t, seed, "policies:\n  - name: app\n    rules: path \"kv/*\" { capabilities = [\"list\"] }\n")
	if r := p.must(0, "plan", "--seed="+seed); !strings.Contains(r.Stdout, "Warning: "+warning) {
		t.Errorf("the plan does not say it\n%s", r)
	}
	var plan struct{ Warnings []string }
	r := p.must(0, "plan", "--seed="+seed, "-o", "json")
	if err := json.Unmarshal([]byte(r.Stdout), &plan); err != nil || len(plan.Warnings) != 1 || !strings.HasPrefix(plan.Warnings[0], warning) {
		t.Errorf("%v\n%s", err, r)
	}
}
