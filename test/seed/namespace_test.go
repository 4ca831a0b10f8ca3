package seed_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// startSpaces starts the suite's server, if it has namespaces.
func startSpaces(t *testing.T) *bed {
	t.Helper()
	if !testbed.FactsFor(t).Namespaces {
		testbed.NotApplicable(t, "it has no namespaces")
	}
	t.Parallel()
	return startVault(t, testbed.VaultOptions{})
}

// spaces is a seed with namespaces three deep, and something of every kind in each of them.
func spaces(paths ...string) string {
	text := "prune: owned\nnamespaces:\n"
	for _, path := range paths {
		text += fmt.Sprintf(`  - path: %s
    custom_metadata: {owner: team of %[1]s, cost: 42}
    policies: [{name: p, rules: 'path "kv/*" { capabilities = ["read"] }'}]
    password-policies: [{name: w, rules: 'length = 20 rule "charset" { charset = "ab" }'}]
    tokens: {roles: [{name: r, allowed_policies: [p]}]}
    auth:
      - {type: userpass, users: [{username: u, password: correct horse battery, token_policies: [p]}]}
      - {type: approle, roles: [{name: r, token_policies: [p], token_ttl: 1h}]}
    secrets:
      - {type: kv, options: {version: 2}}
      - {type: transit, configuration: {keys: [{name: k}]}}
    secretsOnce: [{path: kv/x, data: {y: z}}]
    entities: [{name: e, policies: [p]}]
    entity-aliases: [{name: u, mountpath: userpass, entity: e}]
    groups: [{name: g, members: [e], policies: [p]}]
`, path)
	}
	return text
}

// TestNestedNamespaces holds the life of namespaces in namespaces on a server that has them: they
// are created outside in, left alone when they are there, put right, deleted inside out with what
// others made in them, and created again.
func TestNestedNamespaces(t *testing.T) {
	b := startSpaces(t)
	l := &ledger{}
	all := spaces("a", "a/b", "a/b/c")
	_, writes := l.run(t, b, parse(t, all))
	for _, want := range []string{"update sys/namespaces/a", "update a/sys/namespaces/b", "update a/b/sys/namespaces/c"} {
		if !slices.Contains(writes, want) {
			t.Errorf("not among the writes: %s\n%s", want, strings.Join(writes, "\n"))
		}
	}
	for _, ns := range []string{"a/", "a/b/", "a/b/c/"} {
		role := b.call(t, "GET", ns+"auth/approle/role/r", nil)
		if role["token_ttl"] != json.Number("3600") {
			t.Errorf("%s: the role is %v", ns, role)
		}
		b.call(t, "GET", ns+"auth/token/roles/r", nil)
	}
	again := func(what, text string) {
		t.Helper()
		wantEmpty(t, l.plan(t, b, parse(t, text)))
		if _, writes := l.run(t, b, parse(t, text)); len(writes) > 0 {
			t.Errorf("%s: again: %v", what, writes)
		}
	}
	again("all", all)

	// Metadata that the seed declares is put right, and nothing else of the namespace.
	b.call(t, "PUT", "a/sys/namespaces/b", m{"custom_metadata": m{"owner": "somebody"}})
	if _, writes := l.run(t, b, parse(t, all)); fmt.Sprint(writes) != "[update a/sys/namespaces/b]" {
		t.Errorf("metadata: wrote %v", writes)
	}
	shown := b.call(t, "GET", "a/sys/namespaces/b", nil)
	if got := fmt.Sprint(shown["custom_metadata"]); got != "map[cost:42 owner:team of a/b]" {
		t.Errorf("the metadata is %s", got)
	}

	// What others made in the inner one goes with it.
	b.call(t, "PUT", "a/b/c/sys/namespaces/theirs", m{})
	b.call(t, "PUT", "a/b/c/theirs/sys/namespaces/more", m{})
	inner := spaces("a", "a/b") + "tombstones: [{namespace: a/b/c, destroy: true}]\n"
	_, writes = l.run(t, b, parse(t, inner))
	gone := []string{"delete a/b/c/sys/namespaces/theirs", "delete a/b/c/theirs/sys/namespaces/more", "delete a/b/sys/namespaces/c"}
	if !slices.Equal(writes, gone) {
		t.Errorf("wrote %v, want %v", writes, gone)
	}
	again("without the inner one", inner)
	l.run(t, b, parse(t, all))
	again("the inner one once more", all)

	none := "prune: owned\ntombstones: [{namespace: a, destroy: true}]\n"
	_, writes = l.run(t, b, parse(t, none))
	gone = []string{"delete a/b/sys/namespaces/c", "delete a/sys/namespaces/b", "delete sys/namespaces/a"}
	if !slices.Equal(writes, gone) || len(l.owned) > 0 && slices.ContainsFunc(l.owned, func(id object.ID) bool { return strings.Contains(string(id), "namespaces") }) {
		t.Errorf("wrote %v, want %v; the ledger holds %v", writes, gone, l.owned)
	}
	if _, found, err := (api{b.VaultNode, b.root}).Read(t.Context(), "sys/namespaces/a"); found || err != nil {
		t.Errorf("the outer one is still there: %v", err)
	}
	again("without all", none)
	l.run(t, b, parse(t, all))
	again("all once more", all)
}

// TestNamespaceBeingDeleted creates a namespace while the server is still deleting one of that name.
func TestNamespaceBeingDeleted(t *testing.T) {
	b := startSpaces(t)
	l := &ledger{}
	text := spaces("a")
	l.run(t, b, parse(t, text))
	// Each of these has to be revoked before the namespace is gone.
	for range 300 {
		b.call(t, "PUT", "a/auth/token/create", m{"policies": []string{"p"}})
	}
	b.call(t, "DELETE", "sys/namespaces/a", nil)
	if shown := b.call(t, "GET", "sys/namespaces/a", nil); shown["tainted"] != true {
		t.Fatalf("it is not being deleted any more, so nothing is shown: %v", shown)
	}
	l.run(t, b, parse(t, text))
	wantEmpty(t, l.plan(t, b, parse(t, text)))
	if shown := b.call(t, "GET", "sys/namespaces/a", nil); shown["tainted"] != false {
		t.Errorf("the namespace is %v", shown)
	}
}

// TestNamespaceOfNobody holds that a namespace that others made is neither written nor emptied of
// its metadata.
func TestNamespaceOfNobody(t *testing.T) {
	b := startSpaces(t)
	b.call(t, "PUT", "sys/namespaces/a", m{"custom_metadata": m{"owner": "somebody"}})
	l := &ledger{}
	text := "namespaces: [{path: a, policies: [{name: p, rules: 'path \"x\" {}'}]}]\n"
	if _, writes := l.run(t, b, parse(t, text)); fmt.Sprint(writes) != "[update a/sys/policies/acl/p]" {
		t.Errorf("wrote %v", writes)
	}
	// The plan is of a time when it was not there.
	before := l.plan(t, b, parse(t, "namespaces: [{path: z}]\n"))
	b.call(t, "PUT", "sys/namespaces/z", m{"custom_metadata": m{"owner": "somebody"}})
	writes := b.writes(t, func() {
		if _, err := reconcile.Apply(t.Context(), b.as(t, b.root), before, reconcile.Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
	for _, path := range []string{"a", "z"} {
		if shown := b.call(t, "GET", "sys/namespaces/"+path, nil); fmt.Sprint(shown["custom_metadata"]) != "map[owner:somebody]" {
			t.Errorf("%s is %v", path, shown)
		}
	}
	// One in a namespace that is neither declared nor there is refused before anything is written.
	_, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: b.inline(t, "namespaces: [{path: n/m}]\n")})
	if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), `lies in the namespace "n", which is neither declared nor there`) {
		t.Errorf("got %v", err)
	}
}

// TestServerWideInNamespace holds that what the server has in its root namespace only is refused
// object by object, and the rest is written.
func TestServerWideInNamespace(t *testing.T) {
	b := startSpaces(t)
	text := `
namespaces:
  - path: a
    quotas: {rate-limits: [{name: q, rate: 100000}]}
    ui-headers: {X-A: b}
    policies: [{name: p, rules: 'path "x" {}'}]
`
	for _, round := range []string{"first", "second"} {
		objects := b.inline(t, text)
		p := b.plan(t, objects)
		result, err := reconcile.Apply(t.Context(), b.as(t, b.root), p, reconcile.Options{Parallelism: 16})
		b.memory.Hashes = result.Hashes
		if fault.KindOf(err) != fault.Partial || !strings.Contains(fault.RemedyOf(err), "Move the object out of the namespace") {
			t.Errorf("%s: got %v (%s)", round, err, fault.RemedyOf(err))
		}
		for _, id := range []string{"creating a/sys/quotas/rate-limit/q", "creating a/sys/config/ui/headers/X-A"} {
			if err == nil || !strings.Contains(err.Error(), id) {
				t.Errorf("%s: %s is not named: %v", round, id, err)
			}
		}
	}
	b.call(t, "GET", "a/sys/policies/acl/p", nil)
	p := b.plan(t, b.inline(t, text))
	if got := printed(t, p); strings.Count(got, "in its root namespace only: the object will not be written") != 2 || p.Count(reconcile.None) != 2 {
		t.Errorf("the plan says\n%s", got)
	}
	// Audit devices and CORS are so on every server.
	for _, section := range []string{"audit: [{type: file, options: {file_path: /x}}]", "cors: {allowed_origins: ['*']}"} {
		_, err := loadText(t, "namespaces: [{path: a, "+section+"}]\n")
		if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), `cannot be in the namespace "a"`) {
			t.Errorf("%s: %v", section, err)
		}
	}
}

// printed returns a plan as people see it, where a variable has the name of text.
func printed(t *testing.T, p *reconcile.Plan) string {
	t.Helper()
	return text(t, p)
}

func loadText(t *testing.T, text string) (*seed.Seed, error) {
	t.Helper()
	file := t.TempDir() + "/seed.yaml"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return seed.Load([]string{file})
}

// TestSealedNamespace holds that a sealed namespace is skipped and named, and everything else is
// compared and written.
func TestSealedNamespace(t *testing.T) {
	b := startSpaces(t)
	l := &ledger{}
	answer, err := (api{b.VaultNode, b.root}).answer(t.Context(), "sys/namespaces/closed", m{"seal": `seal "shamir" { shares = 1 threshold = 1 }`})
	if err != nil {
		t.Fatal(err)
	}
	shares, _ := answer["key_shares"].([]any)
	if len(shares) != 1 {
		t.Fatalf("the answer is %v", answer)
	}
	unseal := func() { b.call(t, "PUT", "sys/namespaces/closed/unseal", m{"key": shares[0]}) }
	unseal()
	text := spaces("closed", "closed/inner", "open")
	l.run(t, b, parse(t, text))
	b.call(t, "PUT", "sys/namespaces/closed/seal", m{})
	b.call(t, "DELETE", "open/sys/policies/acl/p", nil)

	p := l.plan(t, b, parse(t, text))
	if len(p.Sealed) != 1 || p.Sealed[0].Namespace != "closed" || p.Sealed[0].Objects < 10 || p.Empty() {
		t.Errorf("sealed are %+v", p.Sealed)
	}
	if shown := printed(t, p); !strings.Contains(shown, "! the namespace closed is sealed: ") || !strings.Contains(shown, "+ open/sys/policies/acl/p") {
		t.Errorf("the plan says\n%s", shown)
	}
	var asJSON strings.Builder
	if err := p.PrintJSON(&asJSON); err != nil || !strings.Contains(asJSON.String(), `"namespace": "closed"`) {
		t.Errorf("%v: in JSON:\n%s", err, asJSON.String())
	}
	writes := b.writes(t, func() {
		result, err := reconcile.Apply(t.Context(), b.as(t, b.root), p, reconcile.Options{Parallelism: 16})
		if fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), `the namespace "closed" is sealed`) {
			t.Errorf("got %v", err)
		}
		b.memory.Hashes = result.Hashes
	})
	if fmt.Sprint(writes) != "[update open/sys/policies/acl/p]" {
		t.Errorf("wrote %v", writes)
	}
	// What is no longer named stays while nobody can delete it.
	p = l.plan(t, b, parse(t, spaces("closed", "open")))
	if p.Count(reconcile.Delete) != 0 || !slices.ContainsFunc(p.Left, func(left reconcile.Left) bool { return strings.Contains(left.Reason, "its namespace is sealed") }) {
		t.Errorf("the plan says\n%s", printed(t, p))
	}

	unseal()
	wantEmpty(t, l.plan(t, b, parse(t, text)))
	if _, writes := l.run(t, b, parse(t, text)); len(writes) > 0 {
		t.Errorf("once it is unsealed: %v", writes)
	}
}
