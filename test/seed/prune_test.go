package seed_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// ledger is what the records remember of the runs of one test.
type ledger struct {
	owned []object.ID
}

// run applies a seed as the program does, with the ledger, and returns the writes.
func (l *ledger) run(t *testing.T, b *bed, s *seed.Seed) (reconcile.Result, []string) {
	t.Helper()
	var result reconcile.Result
	writes := b.writes(t, func() {
		p := l.plan(t, b, s)
		var err error
		result, err = reconcile.Apply(t.Context(), b.as(t, b.root), p, reconcile.Options{
			Parallelism: 16,
			BeforeCreate: func(_ context.Context, ids []object.ID) error {
				l.owned = append(l.owned, ids...)
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.memory.Hashes = result.Hashes
		for before, after := range result.Renamed {
			if slices.Contains(l.owned, before) {
				l.owned = append(slices.DeleteFunc(l.owned, func(id object.ID) bool { return id == before }), after)
			}
		}
		l.owned = slices.DeleteFunc(l.owned, func(id object.ID) bool {
			return slices.Contains(slices.Concat(result.Refused, result.Deleted, result.Taken, result.Kept, p.Forget), id)
		})
		slices.Sort(l.owned)
		l.owned = slices.Compact(l.owned)
	})
	return result, writes
}

func (l *ledger) plan(t *testing.T, b *bed, s *seed.Seed) *reconcile.Plan {
	t.Helper()
	p, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{
		Objects: b.resolve(t, s), Memory: b.memory, Prune: s.Prune(), Owned: l.owned, Parallelism: 16,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPrune takes objects out of a seed, one kind at a time: without prune they stay,
// with it exactly one delete is sent, and what others made is never touched.
func TestPrune(t *testing.T) {
	b := start(t)
	parts := []struct{ name, text, deleted string }{
		{"policy", "policies:\n  - {name: p, rules: 'path \"x\" {}'}\n", "delete sys/policies/acl/p"},
		{"password policy", "password-policies:\n  - {name: p, rules: 'length = 20 rule \"charset\" { charset = \"ab\" }'}\n", "delete sys/policies/password/p"},
		{"role", "auth:\n  - {type: approle, roles: [{name: r, token_ttl: 1h}]}\n", "delete auth/approle/role/r"},
		{"child", "secrets:\n  - {type: transit, configuration: {keys: [{name: k, deletion_allowed: true}]}}\n", "delete transit/keys/k"},
		{"entity", "entities:\n  - {name: e}\n", "delete identity/entity/name/e"},
		{"group", "groups:\n  - {name: g}\n", "delete identity/group/name/g"},
		{"quota", "quotas: {rate-limits: [{name: q, rate: 100000}]}\n", "delete sys/quotas/rate-limit/q"},
		{"header", "ui-headers: {X-A: b}\n", "delete sys/config/ui/headers/X-A"},
		{"cors", "cors: {allowed_origins: ['*']}\n", "delete sys/config/cors"},
		{"audit device", "audit:\n  - {type: file, path: extra, options: {file_path: " + b.dir + "/extra.log}}\n", "delete sys/audit/extra"},
		{"token role", "tokens: {roles: [{name: t}]}\n", "delete auth/token/roles/t"},
	}
	mounts := "auth:\n  - {type: approle}\nsecrets:\n  - {type: transit}\n"
	b.call(t, "PUT", "sys/policies/acl/by-hand", m{"policy": `path "y" {}`})
	for _, part := range parts {
		l := &ledger{}
		full := part.text
		rest := mounts
		if !strings.HasPrefix(part.text, "auth") && !strings.HasPrefix(part.text, "secrets") {
			full += mounts
		}
		l.run(t, b, parse(t, full))
		if _, writes := l.run(t, b, parse(t, rest)); len(writes) > 0 {
			t.Errorf("%s: without prune: %v", part.name, writes)
		}
		pruning := parse(t, "prune: owned\n"+rest)
		p := l.plan(t, b, pruning)
		if got := text(t, p); p.Count(reconcile.Delete) != 1 || !strings.Contains(got, "- "+strings.TrimPrefix(part.deleted, "delete ")) {
			t.Errorf("%s: the plan says\n%s", part.name, got)
		}
		if _, writes := l.run(t, b, pruning); fmt.Sprint(writes) != "["+part.deleted+"]" {
			t.Errorf("%s: wrote %v, want %s", part.name, writes, part.deleted)
		}
		if _, writes := l.run(t, b, pruning); len(writes) > 0 {
			t.Errorf("%s: again: %v", part.name, writes)
		}
	}
	b.call(t, "GET", "sys/policies/acl/by-hand", nil)
}

// TestPruneAliases deletes an alias of an entity and of a group, whose IDs only Vault
// knows.
func TestPruneAliases(t *testing.T) {
	b := start(t)
	l := &ledger{}
	base := "prune: owned\nauth: [{type: userpass}]\nentities: [{name: e}]\ngroups: [{name: g, type: external}]\n"
	l.run(t, b, parse(t, base+"entity-aliases: [{name: CN=x/OU=y, mountpath: userpass, entity: e}]\ngroup-aliases: [{name: admins, mountpath: userpass, group: g}]\n"))
	_, writes := l.run(t, b, parse(t, base))
	if len(writes) != 2 || !strings.HasPrefix(writes[0], "delete identity/entity-alias/id/") || !strings.HasPrefix(writes[1], "delete identity/group-alias/id/") {
		t.Errorf("wrote %v", writes)
	}
	wantEmpty(t, l.plan(t, b, parse(t, base)))
}

// TestTombstone holds that a mount goes only when the seed says that its data may.
func TestTombstone(t *testing.T) {
	b := start(t)
	l := &ledger{}
	l.run(t, b, parse(t, "secrets:\n  - {type: kv, path: old, options: {version: 1}, configuration: {x: [{name: y, a: b}]}}\n  - {type: kv}\n"))
	b.call(t, "PUT", "sys/mounts/foreign", m{"type": "kv"})
	without := parse(t, "prune: owned\nsecrets: [{type: kv}]\n")
	p := l.plan(t, b, without)
	if len(p.Left) != 1 || p.Left[0].ID != "sys/mounts/old" || !strings.Contains(text(t, p), "give it a tombstone in the seed") {
		t.Errorf("left: %v\n%s", p.Left, text(t, p))
	}
	if _, writes := l.run(t, b, without); fmt.Sprint(writes) != "[delete old/x/y]" {
		t.Errorf("without a tombstone: %v", writes)
	}
	with := parse(t, "prune: owned\nsecrets: [{type: kv}]\ntombstones:\n  - {secrets: old, destroy: true}\n  - {secrets: foreign, destroy: true}\n")
	if got := text(t, l.plan(t, b, with)); !strings.Contains(got, "it has a tombstone, but we did not create it") {
		t.Errorf("the plan says\n%s", got)
	}
	if _, writes := l.run(t, b, with); fmt.Sprint(writes) != "[delete sys/mounts/old]" {
		t.Errorf("with a tombstone: %v", writes)
	}
	if _, writes := l.run(t, b, with); len(writes) > 0 {
		t.Errorf("again: %v", writes)
	}
}

// TestPurgeUnmanagedConfig holds that bank-vaults' key deletes what we made only, and
// that its exclusions hold.
func TestPurgeUnmanagedConfig(t *testing.T) {
	b := start(t)
	l := &ledger{}
	b.call(t, "PUT", "sys/policies/acl/by-hand", m{"policy": `path "y" {}`})
	l.run(t, b, parse(t, "policies: [{name: p, rules: 'path \"x\" {}'}]\ngroups: [{name: g}]\nentities: [{name: e}]\n"))
	purge := parse(t, "purgeUnmanagedConfig: {enabled: true, exclude: {policies: true}}\nentities: [{name: e}]\n")
	if _, writes := l.run(t, b, purge); fmt.Sprint(writes) != "[delete identity/group/name/g]" {
		t.Errorf("wrote %v", writes)
	}
}

// TestMisspelt holds that a field which Vault would drop without a word is an error,
// that the plan names it, and that the object is not written without it: a role whose
// 'bound_' field is misspelt is open to all.
func TestMisspelt(t *testing.T) {
	b := start(t)
	seedText := "auth:\n  - type: approle\n    roles:\n      - {name: r, FIELD: 10.0.0.0/8}\n      - {name: other, token_ttl: 1h}\n"
	objects := b.inline(t, strings.Replace(seedText, "FIELD", "token_bound_cidr", 1))
	want := `Vault does not recognize these fields: "token_bound_cidr" (did you mean "token_bound_cidrs"?)`
	for range 2 { // it stays an error until it is mended
		writes := b.writes(t, func() {
			_, err := reconcile.Apply(t.Context(), b.as(t, b.root), b.plan(t, objects), reconcile.Options{})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "seed.yaml:4:") || fault.KindOf(err) != fault.Partial {
				t.Errorf("got %v", err)
			}
		})
		if slices.Contains(writes, "create auth/approle/role/r") {
			t.Error("the role was written without the field")
		}
	}
	if got := text(t, b.plan(t, objects)); !strings.Contains(got, `! Vault does not recognize the field "token_bound_cidr" (did you mean "token_bound_cidrs"?)`) {
		t.Errorf("the plan says\n%s", got)
	}
	mended := b.inline(t, strings.Replace(seedText, "FIELD", "token_bound_cidrs", 1))
	if writes := b.writes(t, func() { b.apply(t, mended) }); fmt.Sprint(writes) != "[create auth/approle/role/r]" {
		t.Errorf("wrote %v", writes)
	}
	if calls := b.calls(t, func() { wantEmpty(t, b.plan(t, mended)) }); slices.ContainsFunc(calls, func(c string) bool { return !strings.HasPrefix(c, "read ") }) {
		t.Errorf("with nothing to do: %v", calls)
	}
}

// TestRequestsStop holds that a request which fails keeps those after it from being
// sent, and that the next run begins with it.
func TestRequestsStop(t *testing.T) {
	b := start(t)
	text := "secrets: [{type: transit, configuration: {keys: [{name: k}]}}]\nrequests:\n" +
		"  - {name: one, path: transit/keys/k/rotate}\n" +
		"  - {name: two, path: PATH}\n" +
		"  - {name: three, path: transit/keys/k/rotate}\n"
	bad := b.inline(t, strings.Replace(text, "PATH", "transit/nothing/here", 1))
	result, err := reconcile.Apply(t.Context(), b.as(t, b.root), b.plan(t, bad), reconcile.Options{})
	if err == nil || !strings.Contains(err.Error(), "sending request:two") || !strings.Contains(err.Error(), "not sent, because a request before it failed") {
		t.Errorf("got %v", err)
	}
	b.memory.Hashes = result.Hashes
	good := b.inline(t, strings.Replace(text, "path: PATH", "path: transit/keys/k/config, data: {min_decryption_version: 2}", 1))
	if writes := b.writes(t, func() { b.apply(t, good) }); fmt.Sprint(writes) != "[update transit/keys/k/config update transit/keys/k/rotate]" {
		t.Errorf("wrote %v", writes)
	}
	wantEmpty(t, b.plan(t, good))
}
