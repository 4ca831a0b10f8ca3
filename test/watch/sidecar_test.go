package watch

import (
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestSidecar kills the leader and has nobody take over for a minute: a sidecar brings
// its own server back all the same.
func TestSidecar(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, _ := installInKubernetes(t, cluster)
	patient := []string{"--lease-duration=90s", "--lease-renew-deadline=80s", "--own-replica=" + cluster.Nodes[0].Addr}
	leader := in.watch(patient...)
	leader.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	sidecar := in.watch(patient...)
	sidecar.Says("another watch leads", 1)
	leader.Kill()
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := opens(t, cluster.Nodes[0])
	t.Logf("unsealed %s after it listened", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Error("that is too long")
	}
	if leads, _ := sidecar.metric("vault_bootstrap_leader"); leads != 0 {
		t.Error("it leads: nothing is shown")
	}
	sidecar.Terminates()
}
