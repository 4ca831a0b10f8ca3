package watch

import (
	"os"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// allowWaiters grants a namespace's default account what 'wait' asks for, and returns
// the account's kubeconfig.
func allowWaiters(t *testing.T, namespace string, verbs string) string {
	t.Helper()
	kubectl(t, "create", "role", "waiter", "-n", namespace, "--verb="+verbs, "--resource=leases.coordination.k8s.io", "--resource-name=vault-bootstrap")
	kubectl(t, "create", "serviceaccount", "waiter", "-n", namespace)
	kubectl(t, "create", "rolebinding", "waiter", "-n", namespace, "--role=waiter", "--serviceaccount="+namespace+":waiter")
	return account(t, namespace, "waiter")
}

// TestWait waits in each way, with the rights that it takes and without.
func TestWait(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	address := "--vault-addr=" + cluster.Nodes[0].Addr
	kubectl(t, "create", "serviceaccount", "nobody", "-n", namespace)
	nobody := account(t, namespace, "nobody")

	health := start(t, nil, "wait", "--for=unsealed", "--via=health", address, "--interval=1s")
	polls := start(t, nil, "wait", "--for=hardened", "--via=lease", "--kubeconfig="+allowWaiters(t, namespace, "get"), "--interval=1s")
	for _, each := range []*process{health, polls} {
		each.says("waiting for", 1)
	}
	if code := in.start("run").ends(); code != 0 {
		t.Fatalf("the run ended with %d", code)
	}
	for _, each := range []*process{health, polls} {
		if code := each.ends(); code != 0 {
			t.Errorf("%v ended with %d", each.cmd.Args, code)
		}
	}

	forbidden := start(t, nil, "wait", "--for=hardened", "--kubeconfig="+nobody, address, "--interval=1s")
	if code := forbidden.ends(); code != 64 || !strings.Contains(forbidden.log(), "get and watch on this one Lease") {
		t.Errorf("without rights it ended with %d", code)
	}
	if code := start(t, nil, "wait", "--for=unsealed", "--kubeconfig="+nobody, address).ends(); code != 0 {
		t.Errorf("what health tells needs rights: %d", code)
	}

	// It was recorded as hardened, and is sealed now: nobody is let through.
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := in.start("wait", "--for=hardened", "--timeout=3s").ends(); code != 1 {
		t.Errorf("a sealed Vault passes for hardened: %d", code)
	}
	stale := in.start("wait", "--for=hardened", "--interval=1s")
	stale.says(`"lease":"hardened","health":"initialized"`, 1)
	hook := in.start("post-start")
	if code := hook.ends(); code != 0 || !strings.Contains(hook.log(), "our own replica is unsealed") {
		t.Errorf("post-start ended with %d", code)
	}
	if code := stale.ends(); code != 0 {
		t.Errorf("open again, and the wait ended with %d", code)
	}
}
