package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// withSpaces starts the suite's server, if it has namespaces, with an audit device
// of its own configuration, and returns that device's log. Generating a root token is open to
// everybody who has the key shares, since breaking glass is part of the tests.
func withSpaces(t *testing.T) (cluster *testbed.VaultCluster, log string) {
	t.Helper()
	if !testbed.FactsFor(t).Namespaces {
		testbed.NotApplicable(t, "it has no namespaces")
	}
	log = filepath.Join(t.TempDir(), "audit.log")
	t.Cleanup(func() { driver.NoteTokens(t, log) })
	testbed.NoteSecrets(t, "correct-horse-battery")
	return testbed.VaultFor(t, testbed.VaultOptions{
		Guarded:        true,
		ExtraConfig:    fmt.Sprintf("audit \"file\" \"probe\" {\n  options {\n    file_path = %q\n    log_raw = \"true\"\n  }\n}\n", log),
		ListenerConfig: "  disable_unauthed_generate_root_endpoints = false\n  disable_unauthed_rekey_endpoints = false\n",
	}), log
}

// spaces is a seed with something of every kind in each of several namespaces.
func spaces(paths ...string) string {
	text := "prune: owned\nharden: {profile: baseline}\nnamespaces:\n"
	for _, path := range paths {
		text += fmt.Sprintf(`  - path: %s
    custom_metadata: {owner: team}
    policies: [{name: p, rules: 'path "kv/*" { capabilities = ["read"] }'}]
    tokens: {roles: [{name: r, allowed_policies: [p]}]}
    auth:
      - {type: userpass, users: [{username: u, password: correct-horse-battery, token_policies: [p]}]}
      - {type: approle, roles: [{name: r, token_policies: [p], token_ttl: 1h}]}
    secrets: [{type: kv, options: {version: 2}}, {type: transit, configuration: {keys: [{name: k}]}}]
    entities: [{name: e, policies: [p]}]
    entity-aliases: [{name: u, mountpath: userpass, entity: e}]
    groups: [{name: g, members: [e], policies: [p]}]
`, path)
	}
	return text
}

// nothingToDo holds that a rerun writes nothing and a plan is empty.
func nothingToDo(t *testing.T, p *program, seed, log, what string) {
	t.Helper()
	_, before := driver.AuditFor(t, log, 0)
	wantEvents(t, what+": rerun", p.must(0, "run").Events())
	entries, _ := driver.AuditFor(t, log, before)
	if len(entries) == 0 {
		t.Errorf("%s: the audit log shows no request at all", what)
	}
	if found := writes(entries); len(found) > 0 {
		t.Errorf("%s: the rerun wrote: %v", what, found)
	}
	var shown struct{ Empty bool }
	plan := p.must(0, "plan", "--seed="+seed, "-o=json").Stdout
	if err := json.Unmarshal([]byte(plan), &shown); err != nil || !shown.Empty {
		t.Errorf("%s: the plan is not empty (%v):\n%s", what, err, plan)
	}
}

// firstRun takes a server from nothing to hardened, and returns a root token that nobody has on
// record, for what a test does by hand.
func firstRun(t *testing.T, p *program, node *testbed.VaultNode) (by *observer, root string) {
	t.Helper()
	stopped := p.stopped("entered.unsealed", "run")
	root = keysIn(t, p).Root.Token
	testbed.NoteSecrets(t, root)
	by = observe(t, node, root)
	stopped.Send(sigcont)
	first := stopped.Exits(0)
	wantEvents(t, "first run", first.Events(), "initialize", "unseal", "seed", "harden")
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
	return by, root
}

// call sends one request.
func (o *observer) call(method, path string, body map[string]any) {
	o.t.Helper()
	if err := o.node.Call(o.t.Context(), method, path, o.token, body, nil); err != nil {
		o.t.Fatal(err)
	}
}

// deleteSpace deletes a namespace and waits until it is gone.
func (o *observer) deleteSpace(path string) {
	o.t.Helper()
	o.call(http.MethodDelete, path, nil)
	err := testbed.Poll(o.t.Context(), 50*time.Millisecond, path+" to be gone", func(ctx context.Context) error {
		err := o.node.Call(ctx, http.MethodGet, path, o.token, nil, nil)
		if failed, ok := errors.AsType[*testbed.VaultError](err); ok && failed.Status == http.StatusNotFound {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestNamespacesFromNothing takes namespaces in namespaces from nothing to hardened, and through
// drift, pruning and creating them again.
func TestNamespacesFromNothing(t *testing.T) {
	cluster, log := withSpaces(t)
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	all := spaces("a", "a/b", "a/b/c")
	write(t, seed, all)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	by, _ := firstRun(t, p, cluster.Nodes[0])
	nothingToDo(t, p, seed, log, "all")

	t.Run("a watch puts drift right", func(t *testing.T) {
		by.call(http.MethodDelete, "a/b/c/sys/policies/acl/p", nil)
		by.call(http.MethodPut, "a/b/auth/approle/role/r", map[string]any{"token_ttl": 60})
		_, before := driver.AuditFor(t, log, 0)
		watch := p.start("watch", "--interval=1s", "--health-interval=500ms", "--listen=127.0.0.1:0")
		watch.Says("a/b/c/sys/policies/acl/p", 1)
		watch.Says("a/b/auth/approle/role/r", 1)
		watch.Terminates()
		entries, _ := driver.AuditFor(t, log, before)
		found := writes(entries)
		slices.Sort(found)
		if want := []string{"update a/b/auth/approle/role/r", "update a/b/c/sys/policies/acl/p"}; !slices.Equal(found, want) {
			t.Errorf("the watch wrote %v, want %v", found, want)
		}
		nothingToDo(t, p, seed, log, "after drift")
	})
	t.Run("the inner one is pruned", func(t *testing.T) {
		write(t, seed, spaces("a", "a/b")+"tombstones: [{namespace: a/b/c, destroy: true}]\n")
		wantEvents(t, "pruning", p.must(0, "run").Events(), "drift", "seed")
		nothingToDo(t, p, seed, log, "without the inner one")
	})
	t.Run("and made again", func(t *testing.T) {
		write(t, seed, all)
		wantEvents(t, "again", p.must(0, "run").Events(), "drift", "seed")
		nothingToDo(t, p, seed, log, "with the inner one")
	})
	t.Run("the outer one is pruned", func(t *testing.T) {
		write(t, seed, "prune: owned\nharden: {profile: baseline}\ntombstones: [{namespace: a, destroy: true}]\n")
		wantEvents(t, "pruning", p.must(0, "run").Events(), "drift", "seed")
		nothingToDo(t, p, seed, log, "without any")
	})
	t.Run("and all are made again", func(t *testing.T) {
		write(t, seed, all)
		wantEvents(t, "again", p.must(0, "run").Events(), "drift", "seed")
		nothingToDo(t, p, seed, log, "with all")
	})
}

// TestVaultNamespace applies a seed in a namespace of the server: --vault-namespace.
func TestVaultNamespace(t *testing.T) {
	cluster, log := withSpaces(t)
	node := cluster.Nodes[0]
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, spaces("inner", "inner/most")+"policies: [{name: top, rules: 'path \"kv/*\" { capabilities = [\"read\"] }'}]\n")
	p, _ := inFiles(t, cluster, "--seed="+seed, "--vault-namespace=team/x")

	by, root := firstRun(t, p, node)
	err := node.Call(t.Context(), http.MethodGet, "auth/token/lookup-self", root, nil, nil)
	if failed, ok := errors.AsType[*testbed.VaultError](err); !ok || failed.Status != http.StatusForbidden {
		t.Errorf("the root token gets %v, want 403", err)
	}
	nothingToDo(t, p, seed, log, "in a namespace")

	if state := status(p)["state"]; state != "hardened" {
		t.Errorf("state is %v", state)
	}
	report := p.must(0, "verify", "--profile=baseline", "-o=json").Stdout
	for _, want := range []string{`"audit-device"`, "which only its root namespace shows"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "only available in") || strings.Contains(report, "unavailable in") {
		t.Errorf("the report shows a refusal:\n%s", report)
	}
	t.Run("a watch puts drift right", func(t *testing.T) {
		by.call(http.MethodDelete, "team/x/inner/most/sys/policies/acl/p", nil)
		watch := p.start("watch", "--interval=1s", "--health-interval=500ms", "--listen=127.0.0.1:0")
		watch.Says("inner/most/sys/policies/acl/p", 1)
		watch.Terminates()
		nothingToDo(t, p, seed, log, "after drift")
	})
	t.Run("the whole namespace is gone", func(t *testing.T) {
		for _, path := range []string{"team/x/inner/sys/namespaces/most", "team/x/sys/namespaces/inner", "team/sys/namespaces/x"} {
			by.deleteSpace(path)
		}
		p.must(70, "run", "--timeout=30s") // locked out
		if events := p.must(0, "break-glass run", because).Events(); !slices.Contains(events, "seed") || !slices.Contains(events, "harden") {
			t.Errorf("break-glass: events were %v", events)
		}
		nothingToDo(t, p, seed, log, "after break-glass")
	})
	t.Run("records of another namespace are refused", func(t *testing.T) {
		for _, other := range []string{"team", "root"} {
			for _, verb := range []string{"run", "plan"} {
				flags := []string{"--vault-namespace=" + other}
				if verb == "plan" {
					flags = append(flags, "--seed="+seed)
				}
				r := p.must(64, verb, flags...)
				if !strings.Contains(r.Stderr, "these records are about the namespace") { // quoted in JSON for run
					t.Errorf("%s in %s: it says:\n%s", verb, other, r)
				}
			}
		}
	})
	t.Run("what only the server has is refused", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "seed.yaml")
		write(t, other, "audit: [{type: file, options: {file_path: /x}}]\n")
		r := p.must(65, "plan", "--seed="+other)
		if !strings.Contains(r.Stderr, "sys/audit/file belongs to the server as a whole, and --vault-namespace=team/x") {
			t.Errorf("it says:\n%s", r)
		}
		r = p.must(64, "verify", "--deep", "--revoke-foreign-root")
		if !strings.Contains(r.Stderr, "root tokens are in the root namespace") {
			t.Errorf("it says:\n%s", r)
		}
	})
}

// TestVerifyLooksIntoNamespaces spoils namespaces, and finds each of them named.
func TestVerifyLooksIntoNamespaces(t *testing.T) {
	cluster, _ := withSpaces(t)
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, spaces("a", "a/b"))
	p, _ := inFiles(t, cluster, "--seed="+seed)
	by, _ := firstRun(t, p, cluster.Nodes[0])
	finding := func(control string) (status, seen string, objects []string) {
		t.Helper()
		var report struct {
			Controls []struct {
				ID, Status, Seen string
				Objects          []string
			}
		}
		r := p.run("verify", "--deep", "--profile=strict", "-o=json")
		if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
			t.Fatalf("%v\n%s", err, r)
		}
		for _, each := range report.Controls {
			if each.ID == control {
				return each.Status, each.Seen, each.Objects
			}
		}
		t.Fatalf("no control %s in\n%s", control, r.Stdout)
		return "", "", nil
	}
	want := func(control, status string, objects ...string) {
		t.Helper()
		got, seen, blamed := finding(control)
		if got != status || !slices.Equal(blamed, objects) {
			t.Errorf("%s: %s, %q (%s); want %s, %q", control, got, blamed, seen, status, objects)
		}
	}
	for _, control := range []string{"wildcard-policies", "default-policy", "listed-mounts", "mount-lease-ttl", "user-lockout", "password-policies"} {
		want(control, "holds")
	}
	by.call(http.MethodPut, "a/b/sys/policies/acl/wild", map[string]any{"policy": `path "*" { capabilities = ["read"] }`})
	by.call(http.MethodPut, "a/sys/auth/userpass/tune", map[string]any{"user_lockout_config": map[string]any{"lockout_disable": true}})
	by.call(http.MethodPut, "a/b/sys/mounts/kv/tune", map[string]any{"listing_visibility": "unauth", "max_lease_ttl": "9000h"})
	by.call(http.MethodPut, "a/sys/policies/password/short", map[string]any{"policy": `length = 8 rule "charset" { charset = "ab" }`})
	want("wildcard-policies", "fails", "a/b/wild")
	want("user-lockout", "fails", "a/userpass")
	want("listed-mounts", "fails", "a/b/kv")
	want("mount-lease-ttl", "fails", "a/b/kv")
	want("password-policies", "fails", "a/short")
	by.call(http.MethodPut, "a/auth/token/create-orphan", map[string]any{"period": "1h"})
	if status, seen, objects := finding("lasting-tokens"); status != "fails" || len(objects) != 1 || !strings.HasPrefix(objects[0], "a/") {
		t.Errorf("lasting-tokens: %s, %q (%s)", status, objects, seen)
	}

	// A namespace that the seed does not declare is named as not known.
	by.call(http.MethodDelete, "a/b/sys/policies/acl/wild", nil)
	by.call(http.MethodPut, "sys/namespaces/foreign", map[string]any{})
	want("wildcard-policies", "unknown", "foreign/")
	write(t, seed, spaces("a", "a/b", "foreign"))
	p.must(0, "break-glass run", because)
	want("wildcard-policies", "holds")

	by.call(http.MethodPut, "sys/namespaces/shut", map[string]any{"seal": `seal "shamir" { shares = 1 threshold = 1 }`})
	if status, seen, _ := finding("wildcard-policies"); status != "holds" || !strings.Contains(seen, "not looked into, since sealed: shut") {
		t.Errorf("a sealed one: %s, %s", status, seen)
	}
}
