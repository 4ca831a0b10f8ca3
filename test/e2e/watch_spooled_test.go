package e2e

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestWatchStoresASpooledAnswer kills a run that has Vault's answer in its spool and not in
// the store. Nothing but a watch is started then: the only copy of the keys lies in a
// directory that may go with the next pod.
func TestWatchStoresASpooledAnswer(t *testing.T) {
	const lease = 3 * time.Second
	for _, each := range []struct {
		name    string
		install func(t *testing.T, cluster *testbed.VaultCluster, spool string) *program
		more    time.Duration
	}{
		{"files", func(t *testing.T, cluster *testbed.VaultCluster, spool string) *program {
			p, _ := inFiles(t, cluster, "--spool-dir="+spool)
			return p
		}, 3 * time.Second},
		{"Kubernetes", func(t *testing.T, cluster *testbed.VaultCluster, spool string) *program {
			p, _, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle", "--spool-dir="+spool)...)
			return p
		}, lease + 3*time.Second},
	} {
		t.Run(each.name, func(t *testing.T) {
			// What Vault itself needs, in an undisturbed run of its own.
			other, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}))
			needs := other.must(0, "run").Took

			spool := t.TempDir()
			p := each.install(t, testbed.VaultFor(t, testbed.VaultOptions{}), spool)
			killedAt(p, "initialize.spooled")
			if keysIn(t, p).Set != nil {
				t.Fatal("the keys were stored already: nothing is shown")
			}
			began := time.Now()
			watch := p.start("watch")
			within(t, needs+each.more, "hardened by the watch alone", func() bool { return keysIn(t, p).Set != nil && status(p)["state"] == "hardened" })
			t.Logf("hardened after %s; an undisturbed run takes %s", time.Since(began).Round(time.Millisecond), needs.Round(time.Millisecond))
			if left, _ := filepath.Glob(filepath.Join(spool, "*.spool")); len(left) > 0 {
				t.Errorf("the spool was left: %v", left)
			}
			watch.Send(syscall.SIGTERM)
			if r := watch.Wait(); r.Code != 0 {
				t.Errorf("the watch exited with %d\n%s", r.Code, r)
			}
		})
	}
}
