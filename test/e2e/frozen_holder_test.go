package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestFrozenHolder has the process that asked Vault to initialize stop for longer than its
// Lease, while Vault's answer is on its way. Whoever comes next must not call the keys lost
// while that process exists; and must do so at once when it does not.
func TestFrozenHolder(t *testing.T) {
	frozen := func(t *testing.T) (p *program, first *driver.Driven) {
		t.Helper()
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		proxy := proxied(t, cluster)
		p, _, _ = inKubernetes(t, nil, append(shortLease, "--vault-addr="+proxy.URL, "--login=approle")...)
		hits := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Delay: 4 * time.Second, Times: 1})
		first = p.start("run")
		within(t, time.Minute, "the request to initialize", func() bool { return hits() == 1 && health(t, cluster.Nodes[0]) == 503 })
		first.Send(syscall.SIGSTOP)
		return p, first
	}
	t.Run("comes back", func(t *testing.T) {
		t.Parallel()
		p, first := frozen(t)
		second := p.start("run")
		second.Says("may still store the keys", 1)
		first.Send(sigcont)
		if r := second.Wait(); r.Code != 0 {
			t.Errorf("the second run exited with %d\n%s", r.Code, r)
		}
		first.Wait()
		if keysIn(t, p).Set == nil || status(p)["state"] != "hardened" {
			t.Error("it did not end hardened")
		}
	})
	t.Run("is killed", func(t *testing.T) {
		t.Parallel()
		p, first := frozen(t)
		first.Kill()
		began := time.Now()
		r := p.run("run")
		wantFailure(t, r, 70, "keys lost", "First check whether the process that made the attempt")
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the verdict took %s, although the process is gone", took)
		}
		if host, _, _ := strings.Cut(holderIn(t, p), "/"); !strings.Contains(r.Stderr, host) {
			t.Errorf("the error does not name the holder %q", host)
		}
	})
}

// holderIn returns who made the latest attempt.
func holderIn(t *testing.T, p *program) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(p.keys()), `"holder":"`)
	holder, _, _ := strings.Cut(rest, `"`)
	return holder
}
