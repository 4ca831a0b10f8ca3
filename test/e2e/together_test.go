package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
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
			entries, _ := driver.AuditFor(t, auditLog, 0)
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
			holder := p.stopped("entered.initialized", "run")
			var waiters []*driver.Driven
			for range count - 1 {
				waiters = append(waiters, p.start("run"))
			}
			for _, waiter := range waiters {
				waiter.Says("another run holds the lease", 1)
			}
			killed := time.Now()
			holder.Kill()
			acted := make(chan time.Time, len(waiters))
			for _, waiter := range waiters {
				go func() {
					if waiter.Until(t.Context(), `"began"`, 1) == nil {
						acted <- time.Now()
					}
				}()
			}
			took := (<-acted).Sub(killed)
			for _, waiter := range waiters {
				if r := waiter.Wait(); r.Code != 0 {
					t.Errorf("a run exited with %d\n%s", r.Code, r)
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
	first := p.stopped("entered.unsealed", "run")
	second := p.start("run")
	second.Says("another run holds the lease", 1)
	killed := time.Now()
	first.Kill()
	second.Says(`"began"`, 1)
	t.Logf("took over after %s, at a lease duration of %s", time.Since(killed).Round(time.Millisecond), duration)
	if r := second.Wait(); r.Code != 0 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
	wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
}

// TestSuspendedHolder suspends a holder past its Lease, lets another finish, and
// wakes it up: it may begin no request, and write nothing.
func TestSuspendedHolder(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	p, _, auditLog := inKubernetes(t, nil, "--vault-addr="+proxy.URL, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	suspended := p.stopped("entered.unsealed", "run")
	p.must(0, "run")
	keys, state := string(p.keys()), status(p)
	_, lines := driver.AuditFor(t, auditLog, 0)
	requests := proxy.Inject(testbed.Fault{Path: "*"})

	suspended.Send(sigcont)
	r := suspended.Wait()
	if r.Code != 75 {
		t.Errorf("the suspended run exited with %d, want 75\n%s", r.Code, r)
	}
	if got := requests(); got != 0 {
		t.Errorf("it began %d requests to Vault", got)
	}
	if entries, _ := driver.AuditFor(t, auditLog, lines); len(entries) != 0 {
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
