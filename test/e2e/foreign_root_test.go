package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestRevokeForeignRoot finds a root token that somebody has made, leaves it alone
// without being told to, and revokes it with the flag; not while a break-glass of ours
// is at work.
func TestRevokeForeignRoot(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("verify", "--deep", "--revoke-foreign-root", "--timeout=5s"), 64, "no keys are stored")
	p.must(0, "run", "--until=unsealed")
	wantFailure(t, p.run("verify", "--deep", "--revoke-foreign-root"), 64, "the first run has not finished", "run")
	p.must(0, "run")
	foreign := rootOf(t, p, node)
	var self struct{ Data struct{ Accessor string } }
	if err := node.Call(t.Context(), http.MethodGet, "auth/token/lookup-self", foreign, nil, &self); err != nil {
		t.Fatal(err)
	}
	lives := func() bool { return node.Call(t.Context(), http.MethodGet, "sys/mounts", foreign, nil, nil) == nil }

	wantFailure(t, p.run("verify", "--revoke-foreign-root"), 64, "--deep")
	if r := p.must(3, "verify", "--deep", "-o=json"); !strings.Contains(r.Stdout, self.Data.Accessor) {
		t.Errorf("the report does not name %s: %s", self.Data.Accessor, r)
	}
	if !lives() {
		t.Fatal("the token ended without being told to")
	}

	_, glass := inside(p, "")
	if r := p.must(75, "verify", "--deep", "--revoke-foreign-root", "--timeout=2s"); !strings.Contains(r.Stderr, "lease") {
		t.Errorf("beside a break-glass: %s", r)
	}
	if !lives() {
		t.Error("it was revoked without the lease")
	}
	glass.Send(syscall.SIGTERM)
	glass.Wait()

	r := p.run("verify", "--deep", "--revoke-foreign-root", "-o=json")
	if !strings.Contains(r.Stderr, "is revoked") || !strings.Contains(r.Stderr, self.Data.Accessor) || strings.Contains(r.Stdout, self.Data.Accessor) {
		t.Errorf("with the flag: %s", r)
	}
	if lives() {
		t.Error("the token still works")
	}
	if r := p.run("verify", "--deep", "--revoke-foreign-root"); strings.Contains(r.Stderr, "is revoked") {
		t.Errorf("there was nothing left: %s", r)
	}
	wantEvents(t, "the next run", p.must(0, "run").Events())
}
