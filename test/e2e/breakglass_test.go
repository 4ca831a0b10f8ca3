package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const because = "--reason=INC-1234: a test"

// vaultToken is what Vault says of a token.
type vaultToken struct {
	Accessor, Path string
	Policies       []string
}

// observer is a root token of the test's own, to see what others there are.
type observer struct {
	t     *testing.T
	node  *testbed.VaultNode
	token string
	own   string
}

// observe makes an observer with a root token that somebody holds.
func observe(t *testing.T, node *testbed.VaultNode, root string) *observer {
	t.Helper()
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
			Accessor    string
		}
	}
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/create-orphan", root, map[string]any{"policies": []string{"root"}}, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	return &observer{t: t, node: node, token: made.Auth.ClientToken, own: made.Auth.Accessor}
}

// roots returns the accessors of all root tokens but the observer's own.
func (o *observer) roots() []string {
	o.t.Helper()
	var listed struct{ Data struct{ Keys []string } }
	if err := o.node.Call(o.t.Context(), "LIST", "auth/token/accessors", o.token, nil, &listed); err != nil {
		o.t.Fatal(err)
	}
	var found []string
	for _, accessor := range listed.Data.Keys {
		var said struct{ Data vaultToken }
		if err := o.node.Call(o.t.Context(), http.MethodPost, "auth/token/lookup-accessor", o.token, map[string]string{"accessor": accessor}, &said); err != nil {
			o.t.Fatal(err)
		}
		if accessor != o.own && slices.Contains(said.Data.Policies, "root") {
			found = append(found, accessor)
		}
	}
	return found
}

func (o *observer) wantNoRoot(after string) {
	o.t.Helper()
	if found := o.roots(); len(found) > 0 {
		o.t.Errorf("after %s there are %d root tokens", after, len(found))
	}
	var attempt struct{ Started bool }
	if err := o.node.Call(o.t.Context(), http.MethodGet, "sys/generate-root/attempt", "", nil, &attempt); err != nil || attempt.Started {
		o.t.Errorf("after %s an attempt to make one is in progress: %v, %v", after, attempt.Started, err)
	}
}

// dead reports whether Vault refuses a token.
func dead(t *testing.T, node *testbed.VaultNode, token string) bool {
	t.Helper()
	err := node.Call(t.Context(), http.MethodGet, "auth/token/lookup-self", token, nil, nil)
	failed, ok := errors.AsType[*testbed.VaultError](err)
	if err != nil && (!ok || failed.Status != http.StatusForbidden) {
		t.Fatal(err)
	}
	return err != nil
}

// hardened returns a program with a hardened Vault, and an observer in it.
func hardened(t *testing.T, flags ...string) (*program, *testbed.VaultCluster, *observer) {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "secrets:\n  - type: kv\n")
	p, _ := inFiles(t, cluster, append(flags, "--seed="+seed)...)
	p.must(0, "run")
	token, child := inside(p, "")
	watch := observe(t, cluster.Nodes[0], token)
	child.Send(syscall.SIGTERM)
	child.Wait()
	watch.wantNoRoot("the first break-glass")
	return p, cluster, watch
}

// inside starts 'break-glass exec' with a command that hands us its token and waits.
// then is what its shell does after that.
func inside(p *program, then string) (token string, r *driver.Driven) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "token")
	if then == "" {
		then = "exec /bin/sleep 600"
	}
	r = p.start("break-glass exec", because, "--", "/bin/sh", "-c", `printf '%s\n' "$VAULT_TOKEN" > `+file+"; "+then)
	err := testbed.Poll(p.t.Context(), 5*time.Millisecond, "the command's token", func(context.Context) error {
		content, err := os.ReadFile(file)
		if err == nil && !bytes.HasSuffix(content, []byte("\n")) {
			err = errors.New("not written yet")
		}
		token = strings.TrimSpace(string(content))
		return err
	})
	if err != nil {
		p.t.Fatalf("%v\n%s", err, r.Wait())
	}
	testbed.NoteSecrets(p.t, token)
	return token, r
}

// TestBreakGlassEndsInEveryPath shows that root exists only while the command runs.
func TestBreakGlassEndsInEveryPath(t *testing.T) {
	p, cluster, watch := hardened(t)
	node := cluster.Nodes[0]
	for name, test := range map[string]struct {
		then   string
		signal syscall.Signal
		code   int
	}{
		"the command succeeds":       {then: "exit 0", code: 0},
		"the command fails":          {then: "exit 7", code: 7},
		"the command crashes":        {then: "kill -SEGV $$", code: 128 + int(syscall.SIGSEGV)},
		"we are told to end":         {signal: syscall.SIGTERM, code: 128 + int(syscall.SIGTERM)},
		"the terminal is closed":     {signal: syscall.SIGHUP, code: 128 + int(syscall.SIGTERM)},
		"a person interrupts":        {signal: syscall.SIGINT, code: 128 + int(syscall.SIGTERM)},
		"a person quits":             {signal: syscall.SIGQUIT, code: 128 + int(syscall.SIGTERM)},
		"the command stays stubborn": {then: "trap '' TERM; while :; do /bin/sleep 1; done", signal: syscall.SIGTERM, code: 128 + int(syscall.SIGKILL)},
	} {
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			token, run := inside(&p, test.then)
			if test.signal != 0 {
				if dead(t, node, token) {
					t.Error("the command's token does not work")
				}
				run.Send(test.signal)
			}
			if r := run.Wait(); r.Code != test.code {
				t.Errorf("exited with %d, want %d\n%s", r.Code, test.code, r)
			}
			if !dead(t, node, token) {
				t.Error("the root token lives on")
			}
			watch.wantNoRoot(name)
		})
	}
}

// TestBreakGlassKilled kills at every point; the next run finds what was left.
func TestBreakGlassKilled(t *testing.T) {
	p, _, watch := hardened(t)
	for _, point := range []string{"breakglass.intent", "breakglass.begun", "breakglass.finishing", "breakglass.made", "breakglass.stored", "breakglass.revoked"} {
		t.Run(point, func(t *testing.T) {
			p := *p
			p.t = t
			run := p.stopped(point, "break-glass exec", because, "--", "/bin/true")
			run.Kill()
			if made := len(watch.roots()) > 0; made != slices.Contains([]string{"breakglass.made", "breakglass.stored"}, point) {
				t.Errorf("when it was killed at %s, a root token was there: %v", point, made)
			}
			p.must(0, "run")
			watch.wantNoRoot("the run after a kill at " + point)
			if bytes.Contains(p.keys(), []byte("break_glass")) {
				t.Error("the record of the killed break-glass is still there")
			}
		})
	}
}

// TestBreakGlassLeavesOthersAlone begins a root token of somebody else's.
func TestBreakGlassLeavesOthersAlone(t *testing.T) {
	p, cluster, _ := hardened(t)
	node := cluster.Nodes[0]
	var theirs struct {
		Nonce   string
		Started bool
	}
	pairs, _ := operators(t, 1)
	if err := node.Call(t.Context(), http.MethodPut, "sys/generate-root/attempt", "", map[string]string{"pgp_key": pairs[0].Public}, &theirs); err != nil {
		t.Fatal(err)
	}
	r := p.run("break-glass exec", because, "--", "/bin/true")
	wantFailure(t, r, 75, "somebody else is generating a root token", theirs.Nonce)
	p.must(0, "run")
	before := theirs.Nonce
	if err := node.Call(t.Context(), http.MethodGet, "sys/generate-root/attempt", "", nil, &theirs); err != nil || !theirs.Started || theirs.Nonce != before {
		t.Errorf("their attempt is gone: %+v, %v", theirs, err)
	}
}

// TestBreakGlassWidens lets the seed grow beyond a fixed policy: run explains, break-glass run
// widens, and the next plain run works.
func TestBreakGlassWidens(t *testing.T) {
	p, _, watch := hardened(t, "--policy=fixed")
	seed := filepath.Join(t.TempDir(), "grown.yaml")
	write(t, seed, "secrets:\n  - type: kv\nauth:\n  - type: approle\n    path: deep/er/approle\n    roles:\n      - name: app\n")
	p.flags = append(p.flags, "--seed="+seed)
	p.flags = slices.DeleteFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") && flag != "--seed="+seed })
	wantFailure(t, p.run("run"), 70, "seed exceeds policy", "auth/deep/er/approle/role/app", "break-glass run --reason")
	p.must(0, "break-glass run", because)
	watch.wantNoRoot("break-glass run")
	wantEvents(t, "the next plain run", p.must(0, "run").Events())
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
}

// TestBreakGlassUnlocks puts a deleted role right.
func TestBreakGlassUnlocks(t *testing.T) {
	p, cluster, watch := hardened(t)
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodDelete, "auth/approle/role/vault-bootstrap", watch.token, nil, nil); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run"), 70, "locked out", "break-glass run --reason")
	p.must(0, "break-glass run", because)
	watch.wantNoRoot("break-glass run")
	wantEvents(t, "the next plain run", p.must(0, "run").Events())
}

// TestBreakGlassReason shows the reason in Vault's audit log, where its header is
// configured.
func TestBreakGlassReason(t *testing.T) {
	p, cluster, watch := hardened(t)
	wantFailure(t, p.run("break-glass exec", "--", "/bin/true"), 64, "no reason is given")
	node, log := cluster.Nodes[0], filepath.Join(t.TempDir(), "audit.log")
	for path, body := range map[string]any{
		"sys/audit/file": map[string]any{"type": "file", "options": map[string]string{"file_path": log}},
		"sys/config/auditing/request-headers/x-vault-bootstrap-reason": map[string]any{"hmac": false},
	} {
		if err := node.Call(t.Context(), http.MethodPut, path, watch.token, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.must(0, "break-glass exec", because, "--", "/bin/true")
	found := map[string]bool{}
	entries, _ := driver.AuditFor(t, log, 0)
	for _, entry := range entries {
		if slices.Equal(entry.Request.Headers["x-vault-bootstrap-reason"], []string{"INC-1234: a test"}) {
			found[entry.Request.Path] = true
		}
	}
	for _, path := range []string{"auth/token/lookup-self", "auth/token/revoke-self"} {
		if !found[path] {
			t.Errorf("the audit log does not show the reason at %s: %v", path, found)
		}
	}
}

// TestBreakGlassWithCustodians asks the operators for their shares.
func TestBreakGlassWithCustodians(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, given := hardenedByCustodians(t, cluster)
	wantFailure(t, p.run("break-glass exec", because, "--", "/bin/true"), 64, "operator 0", "--shares-file")
	file := filepath.Join(t.TempDir(), "shares")
	write(t, file, strings.Join(given, "\n"))
	p.must(0, "break-glass exec", because, "--shares-file="+file, "--", "/bin/true")
}
