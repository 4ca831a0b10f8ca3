package seed_test

import (
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestRequestWithAnAnswerIsSentOnce holds that a request with the answer to another one is remembered
// as sent: the next plan does not need that answer again.
func TestRequestWithAnAnswerIsSentOnce(t *testing.T) {
	text := "requests:\n  - {name: a, path: sys/tools/random/16}\n  - {name: b, path: kv/b, data: {list: ['${ answer \"a\" \"random_bytes\" }', x]}}\n"
	objects := desired(t, write(t, "s.yaml", text), seed.Resolver{})
	w := &world{answers: map[string]map[string]any{"sys/tools/random/16": {"random_bytes": "of the server"}}}
	memory := reconcile.Memory{HashKey: key}
	result, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, memory), reconcile.Options{Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := w.bodies["kv/b"]["list"].([]any); len(list) != 2 || list[0] != "of the server" {
		t.Errorf("sent %v", w.bodies["kv/b"])
	}
	memory.Hashes = result.Hashes
	if p := plan(t, w, objects, memory); !p.Empty() {
		t.Error("it is to be sent again")
	}
}
