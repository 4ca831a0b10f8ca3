package watch

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	if code := hook.ends(); code != 0 || !strings.Contains(hook.log(), "our own replica is open") {
		t.Errorf("post-start ended with %d", code)
	}
	if code := stale.ends(); code != 0 {
		t.Errorf("open again, and the wait ended with %d", code)
	}
}

// TestManyWaiters has 200 processes wait for a Vault that is not there yet, counts what
// they ask of both servers, and lets them go.
func TestManyWaiters(t *testing.T) {
	const waiters, watched, most = 200, 30 * time.Second, 20.0
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	proxy, err := testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: cluster.Nodes[0].Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	requests := proxy.Inject(testbed.Fault{Path: "*"})
	kubeconfig := allowWaiters(t, namespace, "get,watch")

	began := time.Now()
	codes := make([]int, waiters)
	ended := make([]time.Time, waiters)
	var group sync.WaitGroup
	for i := range waiters {
		group.Go(func() {
			cmd := exec.CommandContext(t.Context(), binary, "wait", "--for=hardened", "--kubeconfig="+kubeconfig, "--vault-addr="+proxy.URL, "--timeout=5m")
			cmd.Env = []string{"PATH=/nonexistent", "GOMAXPROCS=1"}
			_ = cmd.Run()
			codes[i], ended[i] = cmd.ProcessState.ExitCode(), time.Now()
		})
	}
	leaseWatches := func() float64 { return apiRequests(t, "leases", "WATCH") + apiRequests(t, "leases", "GET") }
	started := time.Since(began)
	timer := time.NewTimer(watched)
	defer timer.Stop()
	<-timer.C
	if open := series(t, "apiserver_longrunning_requests", "leases", "WATCH"); open < waiters {
		t.Fatalf("only %v of %d follow the Lease", open, waiters)
	}
	before, vaultBefore := leaseWatches(), requests()
	timer.Reset(watched)
	<-timer.C
	api, vault := leaseWatches()-before, requests()-vaultBefore
	rate := (api + float64(vault)) / watched.Seconds()
	t.Logf("%d waiters, started in %s: %v requests to the API server and %d to Vault in %s, %.2f a second", waiters, started, api, vault, watched, rate)
	if rate >= most {
		t.Errorf("that is not less than %v", most)
	}

	if code := in.start("run").ends(); code != 0 {
		t.Fatalf("the run ended with %d", code)
	}
	hardened := time.Now()
	group.Wait()
	last := time.Duration(0)
	for i := range codes {
		if codes[i] != 0 {
			t.Errorf("a waiter ended with %d", codes[i])
		}
		last = max(last, ended[i].Sub(hardened))
	}
	t.Logf("the last one went on %s after the run had ended; Vault was asked %d times in all", last.Round(time.Millisecond), requests())
	if last > 15*time.Second {
		t.Error("that is too late")
	}
}

// apiRequests reads the API server's own count of requests that have ended.
func apiRequests(t *testing.T, resource, verb string) float64 {
	t.Helper()
	return series(t, "apiserver_request_total", resource, verb)
}

func series(t *testing.T, name, resource, verb string) float64 {
	t.Helper()
	text := kubectl(t, "get", "--raw", "/metrics")
	total := 0.0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, `resource="`+resource+`"`) && strings.Contains(line, `verb="`+verb+`"`) {
			total += number(t, line)
		}
	}
	return total
}

func number(t *testing.T, line string) float64 {
	t.Helper()
	fields := strings.Fields(line)
	value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
