package seed_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestGenerateWithinLists holds that a value is generated wherever 'generate' is used.
func TestGenerateWithinLists(t *testing.T) {
	w := &world{}
	objects := desired(t, write(t, "s.yaml",
		"secrets: [{type: kv, options: {version: 1}}]\nsecretsOnce: [{path: kv/a, data: {list: [{generate: {length: 10}}, {in: {generate: {length: 12, alphabet: digits}}}]}}]\n"), seed.Resolver{})
	if _, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, reconcile.Memory{HashKey: key}), reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	list, _ := w.bodies["kv/a"]["list"].([]any)
	if len(list) != 2 {
		t.Fatalf("%d entries", len(list))
	}
	deeper, _ := list[1].(map[string]any)
	for i, value := range []any{list[0], deeper["in"]} {
		text, ok := value.(string)
		if length := []int{10, 12}[i]; !ok || len(text) != length {
			t.Errorf("entry %d is no text of %d characters", i, length)
		}
	}
}

// TestSaveToIsCheckedBefore holds that Vault is not asked for what it shows only once if there is
// nowhere to keep it.
func TestSaveToIsCheckedBefore(t *testing.T) {
	const ca = "secrets:\n  - type: pki\n    configuration:\n      root/generate:\n        - {name: exported, common_name: x, save_to: %}\n"
	there := map[string]map[string]any{"sys/mounts": {"old/kv/": map[string]any{"type": "kv"}}}
	for path, want := range map[string]string{
		"nowhere/data/x": "save_to of pki/root/generate/exported is nowhere/data/x, which lies in no secrets engine that is declared or there",
		"old/x":          "is old/x, which lies in no",
		"old/kv/data/x":  "",
		"pki/x":          "",
	} {
		objects := desired(t, write(t, "s.yaml", strings.ReplaceAll(ca, "%", path)), seed.Resolver{})
		_, err := reconcile.NewPlan(t.Context(), &world{data: there}, reconcile.Goal{Objects: objects, Memory: reconcile.Memory{HashKey: key}, Parallelism: 1})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

// TestCreateOnlyUnseen holds that what cannot be read is created only once.
func TestCreateOnlyUnseen(t *testing.T) {
	const path = "rabbitmq/config/connection"
	w := &world{
		data: map[string]map[string]any{"sys/mounts": {"rabbitmq/": map[string]any{"type": "rabbitmq"}}},
		fail: map[string]error{"read " + path: refusal{http.StatusMethodNotAllowed, "unsupported operation"}},
	}
	objects := desired(t, write(t, "s.yaml", "secrets: [{type: rabbitmq, configuration: {config: [{name: connection, create_only: true, connection_uri: 'http://x'}]}}]\n"), seed.Resolver{})
	memory := reconcile.Memory{HashKey: secret.New("k")}
	for range 3 {
		result, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, memory), reconcile.Options{Parallelism: 1})
		if err != nil {
			t.Fatal(err)
		}
		memory.Hashes = result.Hashes
	}
	if times := len(slices.DeleteFunc(w.writes, func(each string) bool { return each != path })); times != 1 {
		t.Errorf("written %d times", times)
	}
}

// TestGenerateAsAName writes a value that is called 'generate' as it is.
func TestGenerateAsAName(t *testing.T) {
	w := &world{}
	objects := desired(t, write(t, "s.yaml",
		"secrets: [{type: kv, options: {version: 1}}]\nsecretsOnce: [{path: kv/a, data: {generate: yes please, tls: {generate: true, cn: x}}}]\n"), seed.Resolver{})
	if _, err := reconcile.Apply(t.Context(), w, plan(t, w, objects, reconcile.Memory{HashKey: key}), reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.bodies["kv/a"]); got != "map[generate:yes please tls:map[cn:x generate:true]]" {
		t.Errorf("wrote %s", got)
	}
}

// TestConditionOfAnyKind reads the value of a condition however it is written.
func TestConditionOfAnyKind(t *testing.T) {
	for value, needed := range map[string]bool{"true": false, "'true'": false, "True": false, "false": true, "3": true} {
		w := &world{data: map[string]map[string]any{"c": {"d": true}}}
		objects := desired(t, write(t, "s.yaml", "requests: [{name: a, path: b, unless: {path: c, field: d, value: "+value+"}}]\n"), seed.Resolver{})
		if got := !plan(t, w, objects, reconcile.Memory{HashKey: key}).Empty(); got != needed {
			t.Errorf("%s: needed is %v", value, got)
		}
	}
}
