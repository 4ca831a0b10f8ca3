package seed_test

import (
	"context"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestOnePolicy takes a single policy from its text to Vault. With -coverpkg it shows the files
// that are involved.
func TestOnePolicy(t *testing.T) {
	path := write(t, "s.yaml", "policies:\n- name: app\n  rules: |\n    path \"kv/data/app\" { capabilities = [\"read\"] }\n")
	w := &world{store: true}
	ctx := context.Background()
	s, err := seed.Load([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := s.Objects(ctx, seed.Resolver{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := reconcile.NewPlan(ctx, w, reconcile.Goal{Objects: objects, Memory: reconcile.Memory{HashKey: secret.New("k")}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reconcile.Apply(ctx, w, p, reconcile.Options{})
	if err != nil || len(result.Created) != 1 || len(w.writes) != 1 {
		t.Errorf("created %v with %v: %v", result.Created, w.writes, err)
	}
}
