package seed_test

import (
	"fmt"
	"strings"
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

// TestAnswersWithinANamespace holds that a reference to an answer is to a request of the same
// namespace, also where another namespace has one of that name.
func TestAnswersWithinANamespace(t *testing.T) {
	const two = "requests: [{name: a, path: x}%s]"
	const referring = `, {name: b, path: y, data: {c: '${ answer "a" "f" }'}}`
	load := func(inRoot, inTeam string) error {
		_, err := seed.Load([]string{write(t, "s.yaml", "namespaces: [{path: team, "+fmt.Sprintf(two, inTeam)+"}]\n"+fmt.Sprintf(two, inRoot)+"\n")})
		return err
	}
	for _, each := range [][2]string{{"", referring}, {referring, ""}, {referring, referring}} {
		if err := load(each[0], each[1]); err != nil {
			t.Errorf("in the root %q, in team %q: %v", each[0], each[1], err)
		}
	}
	_, err := seed.Load([]string{write(t, "s.yaml", "namespaces: [{path: team, requests: [{name: b, path: y, data: {c: '${ answer \"a\" \"f\" }'}}]}]\nrequests: [{name: a, path: x}]\n")})
	if err == nil || !strings.Contains(err.Error(), `there is no request "a"`) {
		t.Errorf("a request of another namespace: %v", err)
	}
}
