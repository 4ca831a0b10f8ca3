package e2e

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestFirstLight takes three raft nodes with TLS, in their product's own settings, from nothing to
// hardened, and then shows that nothing is done twice.
func TestFirstLight(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true, Guarded: true})
	seed, auditLog := exampleSeed(t)
	device := testbed.AuditDevice{Type: "file", Path: "file", Options: map[string]string{"file_path": auditLog, "log_raw": "true"}}
	if err := cluster.DeclareAudit(t.Context(), device); err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster, "--seed="+seed)

	stoppedRun := p.stopped("entered.initialized", "run")
	root := keysIn(t, p).Root.Token
	testbed.NoteSecrets(t, root)
	stoppedRun.Send(sigcont)
	first := stoppedRun.Wait()
	if first.Code != 0 {
		t.Fatalf("the first run exited with %d\n%s", first.Code, first)
	}
	wantEvents(t, "first run", first.Events(), "initialize", "unseal", "seed", "harden")
	for i, node := range cluster.Nodes {
		if code := health(t, node); code != http.StatusOK && code != http.StatusTooManyRequests {
			t.Errorf("node %d answers %d", i, code)
		}
	}

	t.Run("no root token is left", func(t *testing.T) {
		if keysIn(t, p).Root != nil {
			t.Error("the store holds a root token")
		}
		err := cluster.Nodes[0].Call(t.Context(), http.MethodGet, "auth/token/lookup-self", root, nil, nil)
		if failed, ok := errors.AsType[*testbed.VaultError](err); !ok || failed.Status != http.StatusForbidden {
			t.Errorf("the old root token gets %v, want 403", err)
		}
	})
	t.Run("a rerun writes nothing", func(t *testing.T) {
		_, before := driver.AuditFor(t, auditLog, 0)
		again := p.must(0, "run")
		wantEvents(t, "rerun", again.Events())
		entries, _ := driver.AuditFor(t, auditLog, before)
		if len(entries) == 0 {
			t.Error("the audit log shows no request at all")
		}
		if found := writes(entries); len(found) > 0 {
			t.Errorf("the rerun wrote: %v", found)
		}
		if !slices.ContainsFunc(entries, func(e driver.Audited) bool { return e.Request.Path == "auth/token/revoke-self" }) {
			t.Error("the rerun left its token behind")
		}
	})
	t.Run("a restarted replica is unsealed alone", func(t *testing.T) {
		standby := standbyOf(t, cluster)
		if err := standby.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, before := driver.AuditFor(t, auditLog, 0)
		again := p.must(0, "run")
		wantEvents(t, "rerun", again.Events())
		if unsealed := again.Log("unsealed"); len(unsealed) != 1 || unsealed[0].Text("replica") != standby.Addr {
			t.Errorf("unsealed %v, want %s only", unsealed, standby.Addr)
		}
		if code := health(t, standby); code != http.StatusTooManyRequests {
			t.Errorf("the restarted node answers %d", code)
		}
		entries, _ := driver.AuditFor(t, auditLog, before)
		if found := writes(entries); len(found) > 0 {
			t.Errorf("the rerun wrote: %v", found)
		}
	})
	t.Run("after everything restarted", func(t *testing.T) {
		for _, node := range cluster.Nodes {
			if err := node.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantEvents(t, "rerun", p.must(0, "run").Events(), "seal", "unseal")
	})
	t.Run("status", func(t *testing.T) {
		if state := status(p)["state"]; state != "hardened" {
			t.Errorf("state is %v", state)
		}
		table := p.must(0, "status").Stdout
		name, version := logged(t, cluster.Nodes[2])
		for _, want := range []string{"hardened", cluster.Nodes[2].Addr, "standby", "active", "initialize", name + " " + version} {
			if !strings.Contains(table, want) {
				t.Errorf("the table lacks %q:\n%s", want, table)
			}
		}
		replicas, _ := status(p)["replicas"].([]any)
		for _, replica := range replicas {
			if shown, _ := replica.(map[string]any); shown["product"] != name || shown["version"] != version {
				t.Errorf("the replica is shown as %v, and runs %s %s", shown, name, version)
			}
		}
		if len(replicas) != 3 {
			t.Errorf("%d replicas are shown", len(replicas))
		}
	})
}

// logged returns the product and the version that a server has written into its log.
func logged(t *testing.T, node *testbed.VaultNode) (name, version string) {
	t.Helper()
	log, err := os.ReadFile(node.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Version: (Vault|OpenBao) v([^,\s]+)`).FindSubmatch(log)
	if found == nil {
		t.Fatalf("%s does not say what the server is", node.LogFile)
	}
	return string(found[1]), string(found[2])
}

func standbyOf(t *testing.T, cluster *testbed.VaultCluster) *testbed.VaultNode {
	t.Helper()
	for _, node := range cluster.Nodes {
		if health(t, node) == http.StatusTooManyRequests {
			return node
		}
	}
	t.Fatal("no standby")
	return nil
}

// TestDriftIsPutRight changes Vault behind our back.
func TestDriftIsPutRight(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")

	write(t, seed, strings.Replace(read(t, seed), `["read"]`, `["read", "list"]`, 1))
	_, before := driver.AuditFor(t, auditLog, 0)
	wantEvents(t, "changed seed", p.must(0, "run").Events(), "drift", "seed")
	entries, _ := driver.AuditFor(t, auditLog, before)
	if found := writes(entries); !slices.Equal(found, []string{"update sys/policies/acl/app"}) {
		t.Errorf("the changed seed led to the writes %v", found)
	}
	wantEvents(t, "rerun", p.must(0, "run").Events())
}

// TestLoginThatEndsMidRun revokes our login while the run goes on: it logs in anew.
func TestLoginThatEndsMidRun(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")
	// A replica that does not answer keeps the run going at the goal.
	gone := testbed.VaultFor(t, testbed.VaultOptions{})
	if err := gone.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	_, before := driver.AuditFor(t, auditLog, 0)
	run := p.start("run", "--vault-addr="+gone.Nodes[0].Addr, "--replica-patience=4s", "--log-level=debug")
	run.Says("waiting for the rest", 1)
	entries, _ := driver.AuditFor(t, auditLog, before)
	for _, entry := range entries {
		if entry.Request.Path != "sys/capabilities-self" {
			continue
		}
		if err := cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/token/revoke-self", entry.Request.ClientToken, nil, nil); err != nil {
			t.Fatal(err)
		}
		break
	}
	r := run.Wait()
	if r.Code != 0 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
	if logins := len(r.Log("logged in")); logins != 2 {
		t.Errorf("logged in %d times, want 2", logins)
	}
}
