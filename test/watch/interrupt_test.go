package watch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestTerminatedDuringInit ends a watch while Vault answers sys/init: it stores the
// keys before it goes, and the next one takes them up.
func TestTerminatedDuringInit(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	in := install(t, cluster)
	in.flags = []string{in.flags[0], "--vault-addr=" + proxy.URL}
	stored := func() bool {
		record, err := os.ReadFile(driver.RecordFile(strings.TrimPrefix(in.flags[0], "--store=file:"), "keys"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(record), `"shares"`)
	}
	// The answer is held up after Vault has initialized itself.
	hits := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Delay: 3 * time.Second, Times: 1})
	first := in.watch()
	untilAnswering(t, cluster.Nodes[0], hits)
	if stored() {
		t.Fatal("the keys were stored already: nothing is shown")
	}
	first.Terminates()
	if !stored() {
		t.Fatal("the keys were not stored before the end")
	}
	second := in.watch()
	second.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	if hits() != 1 {
		t.Errorf("Vault was initialized %d times", hits())
	}
	in.root() // made from the stored shares
	second.Terminates()
}

// untilAnswering waits until Vault has initialized itself, and its answer is held up.
func untilAnswering(t *testing.T, node *testbed.VaultNode, hits func() int) {
	t.Helper()
	eventually(t, "initialization", time.Minute, func(ctx context.Context) error {
		var status struct{ Initialized bool }
		if err := node.Call(ctx, http.MethodGet, "sys/init", "", nil, &status); err != nil {
			return err
		}
		if hits() == 0 || !status.Initialized {
			return errors.New("not yet")
		}
		return nil
	})
}

// server finds the API server in a kubeconfig.
var server = regexp.MustCompile(`(?m)server: (https://\S+)$`)

// behind has a kubeconfig lead through a proxy, which TLS passes.
func behind(t *testing.T, kubeconfig string) (*testbed.Proxy, string) {
	t.Helper()
	text := read(t, kubeconfig)
	found := server.FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the kubeconfig names no server")
	}
	direct, err := url.Parse(found[1])
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := testbed.StartProxy(direct.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	through := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(through, []byte(strings.Replace(text, found[1], "https://"+proxy.Addr, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return proxy, through
}

// TestSidecarDeletedDuringInit has the kubelet end a sidecar, as it ends a pod of Vault's that is
// deleted, while Vault answers sys/init and the API server is slow: the keys are stored all the
// same, after more time than Vault's chart gives its pods. The pod's own time is checked at the
// start.
func TestSidecarDeletedDuringInit(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	vault := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	in, namespace := installInKubernetes(t, cluster)
	api, kubeconfig := behind(t, strings.TrimPrefix(in.flags[0], "--kubeconfig="))
	in.flags = []string{"--kubeconfig=" + kubeconfig, "--vault-addr=" + vault.URL}
	hits := vault.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Delay: 3 * time.Second, Times: 1})
	sidecar := in.watch("--own-replica="+vault.URL, "--lease-duration=120s", "--lease-renew-deadline=100s", "--lease-retry-period=5s")
	sidecar.Says("our pod may take 30s to end", 1)
	untilAnswering(t, cluster.Nodes[0], hits)
	api.Delay(3 * time.Second) // each way
	sidecar.Send(syscall.SIGTERM)
	deleted := time.Now()
	if code := sidecar.Wait().Code; code != 0 {
		t.Errorf("SIGTERM ends it with %d", code)
	}
	took := time.Since(deleted)
	t.Logf("it ended %s after SIGTERM", took.Round(time.Millisecond))
	if took < 10*time.Second || took > 5*time.Minute {
		t.Error("that is not between the 10 s of Vault's chart and the 300 s that we ask for: nothing is shown")
	}
	api.Restore()
	next := in.watch() // which opens it, while nobody has given the Leases back
	opens(t, cluster.Nodes[0])
	eventually(t, "an active node", 30*time.Second, func(ctx context.Context) error {
		_, err := cluster.Active(ctx)
		return err
	})
	in.rootFrom(keysOf(t, namespace)) // a root token is made from the stored shares
	if hits() != 1 {
		t.Errorf("Vault was initialized %d times", hits())
	}
	next.Terminates()
}
