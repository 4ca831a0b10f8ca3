package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// autoUnsealed returns a program with a Vault whose seal is a second Vault.
func autoUnsealed(t *testing.T) (*program, *testbed.VaultCluster) {
	t.Helper()
	cluster := transitSealed(t)
	seed, _ := exampleSeed(t)
	p, _ := inFiles(t, cluster, "--seed="+seed, "--recovery-shares=3", "--recovery-threshold=2")
	return p, cluster
}

// transitSealed starts a Vault whose seal is a second Vault. Nobody has initialized it yet.
func transitSealed(t *testing.T) *testbed.VaultCluster {
	t.Helper()
	seal := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := seal.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	outer, err := seal.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]map[string]any{"sys/mounts/transit": {"type": "transit"}} {
		if err := outer.Call(t.Context(), http.MethodPost, path, keys.RootToken, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	testbed.NoteSecrets(t, keys.RootToken)
	return testbed.VaultFor(t, testbed.VaultOptions{Seal: fmt.Sprintf(`
seal "transit" {
  address    = %q
  token      = %q
  key_name   = "unseal"
  mount_path = "transit/"
}
`, outer.Addr, keys.RootToken)})
}

// TestAutoUnseal uses a second Vault as the seal of the first.
func TestAutoUnseal(t *testing.T) {
	p, cluster := autoUnsealed(t)
	p.must(0, "run")
	stored := keysIn(t, p)
	if stored.Set.Kind != "recovery" || len(stored.Set.Shares) != 3 || stored.Set.Threshold != 2 {
		t.Errorf("stored %d %s keys with threshold %d", len(stored.Set.Shares), stored.Set.Kind, stored.Set.Threshold)
	}
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := p.must(0, "run")
	if len(again.Log("unsealed")) > 0 {
		t.Error("we unsealed a Vault that unseals itself")
	}
}

// TestStaleProgress leaves shares in a replica, as somebody who gave up would.
func TestStaleProgress(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	p.must(0, "run")
	node := cluster.Nodes[0]
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A share of the right form that is none of this Vault's.
	stale := keysIn(t, p).Set.Shares[4]
	if err := node.Call(t.Context(), http.MethodPut, "sys/unseal", "", map[string]any{"key": stale}, nil); err != nil {
		t.Fatal(err)
	}
	again := p.must(0, "run")
	if len(again.Log("forgetting the shares of an unsealing that was not finished")) != 1 {
		t.Errorf("stale progress was not reset\n%s", again)
	}
}

// TestThresholdOnly counts the shares that are given to a replica.
func TestThresholdOnly(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL, "--key-shares=7", "--key-threshold=2")
	count := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/unseal"})
	p.must(0, "run")
	if got := count(); got != 2 {
		t.Errorf("%d shares were given, want 2", got)
	}
}
