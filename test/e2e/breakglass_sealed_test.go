package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// TestBreakGlassSeals seals Vault with the root token of a break-glass, as 'vault operator seal' does.
// A sealed Vault revokes nothing, so the Lease is given back at once, and the next run, which unseals
// it, ends the token.
func TestBreakGlassSeals(t *testing.T) {
	p, cluster, _ := hardened(t)
	node := cluster.Nodes[0]
	token, child := inside(p, "")
	if err := node.Call(t.Context(), http.MethodPut, "sys/seal", token, nil, nil); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	child.Send(syscall.SIGTERM)
	r := child.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it held the lease for %s after the command had ended", took)
	}
	wantFailure(t, r, 128+int(syscall.SIGTERM), "Vault is sealed", "the next 'vault-bootstrap run' revokes it")
	if driver.KeysFor(t, p.keys()).BreakGlass == nil {
		t.Error("the token is not on record")
	}
	next := p.must(0, "run")
	if !strings.Contains(next.Stderr, "the root token is revoked") || !dead(t, node, token) {
		t.Errorf("the token lives on\n%s", next)
	}
	if driver.KeysFor(t, p.keys()).BreakGlass != nil {
		t.Error("the token is still on record")
	}
}
