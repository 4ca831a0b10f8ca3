package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// board is where scenes are set: a program with its seed, whose three verbs are compared.
type board struct {
	*program
	seed string
	// shared are flags that all three verbs have.
	shared []string
}

// agree has 'plan' and 'status --exit-code' foresee how a run ends, and the run end so. blind are the
// verbs that cannot know it in this scene, as README.md says: they end with 0.
func (b *board) agree(name string, code int, blind ...string) (plan, status, run driver.Result) {
	b.t.Helper()
	want := func(verb string) int {
		if slices.Contains(blind, verb) {
			return 0
		}
		return code
	}
	flags := append([]string{"--seed=" + b.seed, "--timeout=4s"}, b.shared...)
	status = b.run("status", append([]string{"--exit-code", "-o=json"}, flags...)...)
	plan = b.run("plan", append([]string{"-o=json"}, flags...)...)
	run = b.run("run", append([]string{"--seed=" + b.seed, "--timeout=10s", "--replica-patience=1s"}, b.shared...)...)
	if run.Code != code {
		b.t.Errorf("%s: the run exits with %d, want %d\n%s", name, run.Code, code, run)
	}
	if status.Code != want("status") {
		b.t.Errorf("%s: status foresees %d, and the run exits with %d\n%s\n%s", name, status.Code, run.Code, status, run)
	}
	if plan.Code != want("plan") {
		b.t.Errorf("%s: plan foresees %d, and the run exits with %d\n%s\n%s", name, plan.Code, run.Code, plan, run)
	}
	b.t.Logf("%-40s run %2d, plan %2d, status %2d %v", name, run.Code, plan.Code, status.Code, blind)
	return plan, status, run
}

// endings are what 'plan' and 'status' say for machines of how a run would end.
type endings struct {
	NotCompared string `json:"not_compared_because"`
	Create      int
	Ending      *struct {
		Code          int `json:"exit_code"`
		Name, Message string
		Stops         bool
	} `json:"run_would_end"`
	Warnings []string
	State    string
	Now      struct{ State, Text string }
	Next     struct {
		Text   string
		Events []string
		Code   *int `json:"exit_code"`
		Error  *struct{ Name, Message, Remedy string }
	}
}

// foreseen reads what a verb has printed.
func foreseen(t *testing.T, r driver.Result) endings {
	t.Helper()
	var e endings
	if err := json.Unmarshal([]byte(r.Stdout), &e); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	return e
}

// asRoot runs f with a root token, which is revoked afterwards.
func (b *board) asRoot(node *testbed.VaultNode, f func(root string)) {
	b.t.Helper()
	root := rootOf(b.t, b.program, node)
	f(root)
	if err := node.Call(b.t.Context(), http.MethodPost, "auth/token/revoke-self", root, nil, nil); err != nil {
		b.t.Fatal(err)
	}
}

// boardSeed is the seed of the board.
const boardSeed = `
policies:
  - name: app
    rules: 'path "kv/data/app" { capabilities = ["read"] }'
secrets:
  - {type: kv, path: kv, options: {version: "2"}}
`

func newBoard(t *testing.T, cluster *testbed.VaultCluster) (*board, string) {
	t.Helper()
	p, dir := inFiles(t, cluster)
	b := &board{program: p, seed: filepath.Join(t.TempDir(), "seed.yaml")}
	write(t, b.seed, boardSeed)
	return b, dir
}

// TestForeseen walks a Vault over the board: whatever the scene, 'plan' and 'status --exit-code' end
// with the exit code that the run after them has.
func TestForeseen(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	b, dir := newBoard(t, cluster)
	plan, status, _ := b.agree("uninitialized", 0)
	if e := foreseen(t, plan); e.Create != 2 || e.NotCompared == "" || e.Ending != nil {
		t.Errorf("before the first run the plan is %+v", e)
	}
	if e := foreseen(t, status); e.Now.Text != "uninitialized" || e.State != "none yet" || e.Next.Text != "vault-bootstrap run: initialize, unseal, seed, harden" {
		t.Errorf("before the first run the status is %+v", e)
	}
	_, status, _ = b.agree("hardened", 0)
	if e := foreseen(t, status); e.Now.Text != "hardened" || e.State != "hardened" || e.Next.Text != "nothing is left to do" || *e.Next.Code != 0 {
		t.Errorf("when all is done the status is %+v", e)
	}

	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if table := b.must(0, "status").Stdout; !strings.HasPrefix(table, "NOW         sealed\nrecorded    hardened since 2") || !strings.Contains(table, "\nnext        vault-bootstrap run: unseal\n") {
		t.Errorf("over a sealed Vault the table is\n%s", table)
	}
	text := b.must(3, "plan", "--seed="+b.seed, "--detailed-exitcode").Stdout
	if !strings.Contains(text, "+ sys/policies/acl/app") || !strings.Contains(text, "Note: nothing was compared, since Vault is not open ("+node.Addr+": sealed): every object counts as new.") {
		t.Errorf("over a sealed Vault the plan is\n%s", text)
	}
	_, status, _ = b.agree("sealed", 0)
	if e := foreseen(t, status); e.Now.State != "sealed" || e.State != "hardened" || !slices.Equal(e.Next.Events, []string{"unseal"}) {
		t.Errorf("over a sealed Vault the status is %+v", e)
	}

	b.asRoot(node, func(root string) {
		if err := node.Call(t.Context(), http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
			t.Fatal(err)
		}
	})
	b.must(3, "plan", "--seed="+b.seed, "--detailed-exitcode")
	b.agree("drifted", 0)
	foreseenSeeds(t, b)

	good := b.keys()
	record := driver.RecordFile(dir, "keys")
	b.keys = nil
	write(t, record, string(good[:len(good)/2]))
	b.agree("record corrupt", 70)
	write(t, record, string(good))
	if err := os.Chmod(record, 0o644); err != nil {
		t.Fatal(err)
	}
	b.agree("record refused", 64)
	if err := os.Chmod(record, 0o600); err != nil {
		t.Fatal(err)
	}
	b.keys = func() []byte { return []byte(read(t, record)) }
	b.agree("hardened again", 0)

	b.asRoot(node, func(root string) {
		const path = "sys/policies/acl/vault-bootstrap"
		var own struct{ Data struct{ Policy string } }
		if err := node.Call(t.Context(), http.MethodGet, path, root, nil, &own); err != nil {
			t.Fatal(err)
		}
		narrowed := map[string]string{"policy": own.Data.Policy + "\npath \"sys/policies/acl/app\" {\n  capabilities = [\"read\"]\n}\n"}
		if err := node.Call(t.Context(), http.MethodPut, path, root, narrowed, nil); err != nil {
			t.Fatal(err)
		}
	})
	plan, _, _ = b.agree("our policy was narrowed", 70)
	if e := foreseen(t, plan); e.Ending == nil || e.Ending.Code != 70 || e.Ending.Name != "seed exceeds policy" || !e.Ending.Stops {
		t.Errorf("the plan says of the run: %+v", e.Ending)
	}
	b.asRoot(node, func(root string) {
		if err := node.Call(t.Context(), http.MethodDelete, "auth/approle/role/vault-bootstrap", root, nil, nil); err != nil {
			t.Fatal(err)
		}
	})
	_, status, _ = b.agree("locked out", 70)
	if e := foreseen(t, status); e.Next.Error == nil || e.Next.Error.Name != "locked out" || e.Next.Error.Remedy == "" || *e.Next.Code != 70 {
		t.Errorf("the status says of the run: %+v", e.Next)
	}
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	b.agree("no answer", 1)
}

// foreseenSeeds gives a hardened Vault seeds that no run can apply, or not all of.
func foreseenSeeds(t *testing.T, b *board) {
	write(t, b.seed, boardSeed+"auth: [{type: approle, path: deep/er/approle, roles: [{name: app}]}]\n")
	plan, _, _ := b.agree("the seed has grown", 70)
	if e := foreseen(t, plan); e.Ending == nil || e.Ending.Name != "seed exceeds policy" || e.Create != 2 {
		t.Errorf("the plan of a seed that has grown: %+v", e)
	}
	if r := b.must(70, "plan", "--seed="+b.seed); !strings.HasSuffix(r.Stdout, " (exit code 70).\n") || !strings.Contains(r.Stdout, "\nRun would stop: seed exceeds policy: ") {
		t.Errorf("the plan ends with\n%s", r)
	}
	write(t, b.seed, strings.Replace(boardSeed, "options: {version", "config: {max_lease_ttls: 1h}, options: {version", 1))
	b.agree("seed invalid", 65)
	write(t, b.seed, strings.Replace(boardSeed, `["read"]`, `["read", "read"]`, 1)+"harden: {require: [tls-listeners]}\n")
	// What the seed changes might make the control hold: the verbs that write nothing cannot know.
	plan, _, run := b.agree("a required control fails, and a policy is to be written", 70, "plan", "status")
	warned := `sys/policies/acl/app, line 1 of it: duplicate capability "read" of the path "kv/data/app"`
	if e := foreseen(t, plan); !slices.ContainsFunc(e.Warnings, func(w string) bool { return strings.Contains(w, warned) }) {
		t.Errorf("the plan does not warn as 'seed validate': %v", e.Warnings)
	}
	if !strings.Contains(run.Stderr, strings.ReplaceAll(warned, `"`, `\"`)) {
		t.Errorf("the run does not warn as 'seed validate': %s", run)
	}
	b.agree("a required control fails", 70)
	write(t, b.seed, boardSeed)
	b.agree("the seed corrected", 0)
}

// TestForeseenInPart has a part of the seed that the server does not take.
func TestForeseenInPart(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	b, _ := newBoard(t, cluster)
	const users = "auth:\n  - type: userpass\n    users:\n      - {username: ada, password: correct-horse-battery%s}\n"
	testbed.NoteSecrets(t, "correct-horse-battery")
	write(t, b.seed, boardSeed+fmt.Sprintf(users, ""))
	b.must(0, "run", "--seed="+b.seed)
	write(t, b.seed, boardSeed+fmt.Sprintf(users, ", token_policis: [app]"))
	plan, _, _ := b.agree("a field that Vault does not have", 1)
	if e := foreseen(t, plan); e.Ending == nil || e.Ending.Code != 1 || e.Ending.Stops || !strings.Contains(e.Ending.Message, "auth/userpass/users/ada") {
		t.Errorf("the plan says of the run: %+v", e.Ending)
	}
	if r := b.must(1, "plan", "--seed="+b.seed); !strings.Contains(r.Stdout, "\nRun would end: objects that this server does not take as they are would not be written: auth/userpass/users/ada (exit code 1).\n") {
		t.Errorf("the plan ends with\n%s", r)
	}
}

// TestForeseenStrangers meets Vaults that are not ours, or whose keys are lost.
func TestForeseenStrangers(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	b, _ := newBoard(t, cluster)
	killedAt(b.program, "initialize.intended")
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	plan, status, _ := b.agree("keys lost", 70)
	if e := foreseen(t, plan); e.Ending == nil || e.Ending.Name != "keys lost" || e.NotCompared == "" {
		t.Errorf("the plan says of the run: %+v", e)
	}
	if e := foreseen(t, status); e.Next.Error == nil || e.Next.Error.Name != "keys lost" || e.Now.State != "sealed" {
		t.Errorf("the status says of the run: %+v", e)
	}
	stranger, _ := newBoard(t, cluster)
	stranger.agree("not ours, sealed", 70)
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	stranger.agree("not ours, open", 70)

	ours := testbed.VaultFor(t, testbed.VaultOptions{})
	spooled, dir := newBoard(t, ours)
	killedAt(spooled.program, "initialize.spooled")
	spooled.agree("the init response is spooled", 0)
	moved := *spooled
	other := moved
	other.program = &program{t: t, keys: spooled.keys, flags: append(driver.VaultFlags(cluster), "--store=file:"+dir)}
	other.agree("foreign cluster", 70)
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// That key shares do not fit shows only when they are given.
	other.agree("foreign cluster, sealed", 70, "plan", "status")
	empty := testbed.VaultFor(t, testbed.VaultOptions{})
	other.program = &program{t: t, keys: spooled.keys, flags: append(driver.VaultFlags(empty), "--store=file:"+dir)}
	other.agree("keys without a Vault", 70)
}

// TestForeseenCustodians has operators hold the key shares: a run without them unseals nothing.
func TestForeseenCustodians(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := hardenedByCustodians(t, cluster)
	b := &board{program: p, seed: filepath.Join(t.TempDir(), "seed.yaml")}
	write(t, b.seed, "{}\n")
	b.agree("custodians have unsealed it", 0)
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan, status, _ := b.agree("custodians must unseal", 70)
	if e := foreseen(t, plan); e.Ending == nil || e.Ending.Name != "custodians must unseal" || e.NotCompared == "" {
		t.Errorf("the plan says of the run: %+v", e)
	}
	if e := foreseen(t, status); e.Now.State != "sealed" || e.Next.Error == nil || e.Next.Error.Name != "custodians must unseal" {
		t.Errorf("the status says of the run: %+v", e)
	}
}
