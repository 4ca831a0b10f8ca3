package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestFiveOnRaftInKubernetes starts five runs at once against three raft replicas.
func TestFiveOnRaftInKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true})
	p, _, _ := inKubernetes(t, cluster)
	togetherOneActs(t, p, 5)
}

// TestKilledHolderIsReplaced kills the holder while another waits.
func TestKilledHolderIsReplaced(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	const duration = 3 * time.Second
	p, _, _ := inKubernetes(t, cluster, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	first := p.start(stoppable, "run", []string{"VAULT_BOOTSTRAP_STOP_AT=entered.unsealed"})
	first.stoppedAt("entered.unsealed")
	second := p.start(binary, "run", nil)
	if !second.until("another run holds the lease") {
		t.Fatalf("the second run did not wait\n%s", second.wait())
	}
	killed := time.Now()
	first.signal(syscall.SIGKILL)
	first.wait()
	if !second.until(`"began"`) {
		t.Fatalf("the second run did nothing\n%s", second.wait())
	}
	t.Logf("took over after %s, at a lease duration of %s", time.Since(killed).Round(time.Millisecond), duration)
	if r := second.wait(); r.code != 0 {
		t.Errorf("exited with %d\n%s", r.code, r)
	}
	wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
}

// TestSuspendedHolder suspends a holder past its Lease, lets another finish, and
// wakes it up: it may begin no request, and write nothing.
func TestSuspendedHolder(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	p, _, auditLog := inKubernetes(t, nil, "--vault-addr="+proxy.URL, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	suspended := p.start(stoppable, "run", []string{"VAULT_BOOTSTRAP_STOP_AT=entered.unsealed"})
	suspended.stoppedAt("entered.unsealed")
	p.must(0, "run")
	keys, state := string(p.keys()), status(p)
	_, lines := audited(t, auditLog, 0)
	requests := proxy.Inject(testbed.Fault{Path: "*"})

	suspended.signal(sigcont)
	r := suspended.wait()
	if r.code != 75 {
		t.Errorf("the suspended run exited with %d, want 75\n%s", r.code, r)
	}
	if got := requests(); got != 0 {
		t.Errorf("it began %d requests to Vault", got)
	}
	if entries, _ := audited(t, auditLog, lines); len(entries) != 0 {
		t.Errorf("Vault's audit log shows %d requests after it woke up", len(entries))
	}
	if string(p.keys()) != keys {
		t.Error("it wrote to the keys record")
	}
	if after := status(p); after["since"] != state["since"] || after["last_error"] != nil {
		t.Errorf("it wrote to the checkpoint: %v", after)
	}
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodGet, "sys/health", "", nil, nil); err != nil {
		t.Error(err)
	}
}
