package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestBreakGlassLosesLease has a command trap the signal that it gets when the lease is
// lost: its own exit code does not hide the loss.
func TestBreakGlassLosesLease(t *testing.T) {
	for _, code := range []int{0, 7} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			p, cluster, _ := hardened(t)
			token, run := inside(p, fmt.Sprintf("trap 'exit %d' TERM; while :; do /bin/sleep 0.1; done", code))
			if err := os.Remove(filepath.Join(storeOf(t, p), "vault-bootstrap.lock")); err != nil {
				t.Fatal(err)
			}
			if r := run.Wait(); r.Code != 75 {
				t.Errorf("exited with %d, want 75\n%s", r.Code, r)
			}
			if !dead(t, cluster.Nodes[0], token) {
				t.Error("the root token lives on")
			}
		})
	}
}
