package seed_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/scaffold"
)

// firstSeeds returns the choices of parts that are applied: none, each alone, each two together and
// all; every one of them in the long form.
func firstSeeds() [][]string {
	parts := scaffold.Parts()
	var chosen [][]string
	for set := range 1 << len(parts) {
		var names []string
		for i, part := range parts {
			if set&(1<<i) != 0 {
				names = append(names, part.Name)
			}
		}
		if os.Getenv("LONG") != "" || len(names) <= 2 || len(names) == len(parts) {
			chosen = append(chosen, names)
		}
	}
	return chosen
}

// TestFirstSeeds applies what 'init' writes to a Vault without anything, for each choice of parts, and
// finds nothing left to do.
func TestFirstSeeds(t *testing.T) {
	b := start(t)
	edits := slices.Concat(outsideOfPods(t, b), startIssuer(t, b), startProvider(t, b),
		[]string{"password_authentication: scram-sha-256", "password_authentication: scram-sha-256\n          verify_connection: false"})
	adapt := strings.NewReplacer(edits...)
	for _, names := range firstSeeds() {
		t.Run(strings.Join(append(names, "nothing")[:max(1, len(names))], "+"), func(t *testing.T) {
			composed, err := scaffold.Compose(os.DirFS("../../docs/cookbook"), names)
			if err != nil {
				t.Fatal(err)
			}
			first := parse(t, adapt.Replace(composed))
			l := &ledger{}
			b.memory = reconcile.Memory{HashKey: secret.New("key of this suite")}
			if _, writes := l.run(t, b, first); len(writes) == 0 {
				t.Error("nothing was written")
			}
			wantEmpty(t, l.plan(t, b, first))
			b.clear(t, l)
		})
	}
}

// clear takes away what a ledger says was created. What is in a mount, and the alias of a group, go with
// it.
func (b *bed) clear(t *testing.T, l *ledger) {
	t.Helper()
	for _, id := range slices.Backward(l.owned) {
		if path := string(id); strings.HasPrefix(path, "sys/") || strings.HasPrefix(path, "identity/group/") {
			b.call(t, http.MethodDelete, path, nil)
		}
	}
}
