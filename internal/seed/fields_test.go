package seed_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// asked is a world that notes which endpoints it was asked about, and whether its mount was
// made by then.
type asked struct {
	world
	mu      sync.Mutex
	fields  []string
	answers []string
}

func (a *asked) Fields(_ context.Context, path string) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.fields = append(a.fields, fmt.Sprintf("%s %t", path, slices.Contains(a.writes, "sys/auth/kubernetes")))
	return a.answers, nil
}

// TestEndpointsAreAskedOnce holds that Vault is asked once which fields an endpoint takes, also
// where it does not say, and where many objects are written at a time.
func TestEndpointsAreAskedOnce(t *testing.T) {
	text := "auth:\n  - type: kubernetes\n    roles:\n"
	for i := range 40 {
		text += fmt.Sprintf("      - {name: r%d, bound_service_account_names: [a], bound_service_account_namespaces: [b], audience: vault}\n", i)
	}
	path := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, answers := range [][]string{nil, {"bound_service_account_names", "bound_service_account_namespaces", "audience"}} {
		a := &asked{answers: answers}
		planned := plan(t, a, desired(t, path, seed.Resolver{}), reconcile.Memory{})
		if len(a.fields) > 0 {
			t.Errorf("it is asked before the mount is there: %q", a.fields)
		}
		if _, err := reconcile.Apply(t.Context(), a, planned, reconcile.Options{Parallelism: 16}); err != nil {
			t.Fatal(err)
		}
		if len(a.fields) != 1 || !strings.HasPrefix(a.fields[0], "auth/kubernetes/role/") || !strings.HasSuffix(a.fields[0], " true") {
			t.Errorf("with the answer %q it is asked %q", answers, a.fields)
		}
	}
}
