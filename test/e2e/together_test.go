package e2e

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestManyOnRaftInKubernetes starts two and five runs at once against three raft
// replicas.
func TestManyOnRaftInKubernetes(t *testing.T) {
	for _, count := range []int{2, 5} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true})
			p, _, auditLog := inKubernetes(t, cluster)
			togetherOneActs(t, p, count)
			entries, _ := audited(t, auditLog, 0)
			mounted := 0
			for _, found := range writes(entries) {
				if found == "update sys/mounts/kv" {
					mounted++
				}
			}
			if mounted != 1 {
				t.Errorf("the seed was written %d times", mounted)
			}
		})
	}
}

// takeoverSlack is how much longer than the Lease a takeover may take.
const takeoverSlack = 5 * time.Second

// TestTakeoverOnRaft kills the holder among two and among five runs on three raft
// replicas, with the Lease's default times.
func TestTakeoverOnRaft(t *testing.T) {
	const duration = 15 * time.Second
	began := time.Now()
	undisturbed, _, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true}))
	undisturbed.must(0, "run")
	clean := time.Since(began)
	for _, count := range []int{2, 5} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true})
			p, _, _ := inKubernetes(t, cluster)
			holder := p.start(stoppable, "run", []string{"VAULT_BOOTSTRAP_STOP_AT=entered.initialized"})
			holder.stoppedAt("entered.initialized")
			var waiters []*running
			for range count - 1 {
				waiters = append(waiters, p.start(binary, "run", nil))
			}
			for _, waiter := range waiters {
				if !waiter.until("another run holds the lease") {
					t.Fatalf("it did not wait\n%s", waiter.wait())
				}
			}
			killed := time.Now()
			holder.signal(syscall.SIGKILL)
			holder.wait()
			acted := make(chan time.Time, len(waiters))
			for _, waiter := range waiters {
				go func() {
					if waiter.until(`"began"`) {
						acted <- time.Now()
					}
				}()
			}
			took := (<-acted).Sub(killed)
			for _, waiter := range waiters {
				if r := waiter.wait(); r.code != 0 {
					t.Errorf("a run exited with %d\n%s", r.code, r)
				}
			}
			rest := time.Since(killed) - took
			t.Logf("among %d: took over after %s (Lease %s), the rest took %s, a clean run %s", count, took.Round(time.Millisecond), duration, rest.Round(time.Millisecond), clean.Round(time.Millisecond))
			if took > duration+takeoverSlack {
				t.Errorf("took over after %s, which is more than %s", took, duration+takeoverSlack)
			}
			wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
		})
	}
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
