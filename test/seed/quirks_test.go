package seed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestVersionRequired changes startup secrets of an engine that demands the version which a write
// replaces, also one that somebody has deleted.
func TestVersionRequired(t *testing.T) {
	b := startServer(t)
	seedText := "secrets:\n  - {type: kv, path: two, options: {version: '2'}, configuration: {config: [{cas_required: true}]}}\n" +
		"startupSecrets:\n  - {type: kv, path: two/data/app, data: {data: {a: VALUE}}}\n"
	for i, change := range []func(){
		func() {}, func() {}, func() { b.call(t, "PUT", "two/data/app", m{"data": m{"a": "by hand"}, "options": m{"cas": 2}}) },
		func() { b.call(t, "DELETE", "two/data/app", nil) },
	} {
		change()
		objects := b.inline(t, strings.Replace(seedText, "VALUE", fmt.Sprintf("value-%d", i), 1))
		b.apply(t, objects)
		wantEmpty(t, b.plan(t, objects))
		shown, _ := b.call(t, "GET", "two/data/app", nil)["data"].(map[string]any)
		if shown["a"] != fmt.Sprintf("value-%d", i) {
			t.Errorf("change %d: Vault holds %v", i, shown)
		}
	}
}

// TestRotationStatements changes the statements of a database's connection behind our back: Vault
// shows them under another name than they are written under.
func TestRotationStatements(t *testing.T) {
	b := startServer(t)
	objects := b.inline(t, "secrets:\n  - type: database\n    configuration:\n      config:\n        - name: orders\n          plugin_name: postgresql-database-plugin\n          verify_connection: false\n"+
		"          connection_url: postgresql://{{username}}:{{password}}@db/orders\n          username: vault\n          password: of-the-suite\n          root_rotation_statements: [ALTER USER x]\n")
	b.apply(t, objects)
	wantEmpty(t, b.plan(t, objects))
	b.call(t, "PUT", "database/config/orders", m{"root_rotation_statements": []string{"DROP USER x"}, "verify_connection": false})
	p := b.plan(t, objects)
	if got := text(t, p); p.Count(reconcile.Update) != 1 || !strings.Contains(got, `root_rotation_statements: ["DROP USER x"] → ["ALTER USER x"]`) {
		t.Errorf("the plan says\n%s", got)
	}
	b.apply(t, objects)
	wantEmpty(t, b.plan(t, objects))
}

// TestBlocksOfOneAddress spells the same blocks in another way: there is nothing to do.
func TestBlocksOfOneAddress(t *testing.T) {
	b := startServer(t)
	seed := func(radius, approle string) string {
		return "auth:\n  - type: radius\n    config: {host: radius.example, secret: of-the-suite, token_bound_cidrs: [" + radius + ", 10.0.0.0/8]}\n" +
			"  - {type: approle, roles: [{name: r, token_bound_cidrs: [" + approle + "]}]}\n"
	}
	b.apply(t, b.inline(t, seed("127.0.0.1", "127.0.0.1, '::1'")))
	wantEmpty(t, b.plan(t, b.inline(t, seed("127.0.0.1/32", "'::1/128', 127.0.0.1/32"))))
	if p := b.plan(t, b.inline(t, seed("127.0.0.0/24", "'::1/128', 127.0.0.1/31"))); p.Count(reconcile.Update) != 2 {
		t.Errorf("other blocks: the plan says\n%s", text(t, p))
	}
}
