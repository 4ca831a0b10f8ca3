package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestImmutableRecordKeepsNothingSealed makes a record immutable, as some hardening tools do
// with every Secret. Unsealing needs no write: it goes on, and the record is a warning.
func TestImmutableRecordKeepsNothingSealed(t *testing.T) {
	for _, verb := range []string{"run", "watch"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			p, namespace, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle")...)
			p.must(0, "run")
			kubectl(t, "patch", "secret", "vault-bootstrap-keys", "-n", namespace, "--type=merge", `-p={"immutable":true}`)
			if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			process := p.start(verb)
			within(t, time.Minute, "unsealing", func() bool { return health(t, cluster.Nodes[0]) == 200 })
			if verb == "watch" {
				process.Send(sigterm)
			}
			r := process.Wait()
			if r.Code != 0 {
				t.Errorf("it exited with %d\n%s", r.Code, r)
			}
			if !strings.Contains(r.Stderr, "immutable") {
				t.Errorf("it does not say that the record is immutable\n%s", r)
			}
		})
	}
}
