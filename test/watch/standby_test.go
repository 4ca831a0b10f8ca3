package watch

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestStandbyOpens has a leader that does nothing any more and keeps its lead: the watch that
// stands by opens what restarts, and does nothing else.
func TestStandbyOpens(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in := install(t, cluster)
	leader := in.start("watch", "--listen=127.0.0.1:0")
	leader.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	standby := in.start("watch", "--listen=127.0.0.1:0")
	standby.Says("standing by", 1)
	leader.Send(syscall.SIGSTOP)
	lines := in.lines()
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := opens(t, cluster.Nodes[0])
	t.Logf("unsealed %s after it listened", took)
	if took > 10*time.Second {
		t.Error("that is too long")
	}
	if wrote := in.written(lines); len(wrote) > 0 {
		t.Errorf("it wrote %v", wrote)
	}
	if strings.Contains(standby.Shown(), `"leading"`) {
		t.Error("it leads")
	}
	leader.Send(syscall.SIGCONT)
	standby.Terminates()
	leader.Terminates()
}
