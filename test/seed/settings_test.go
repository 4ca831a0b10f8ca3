package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// startServer starts the suite's server.
func startServer(t *testing.T) *bed {
	t.Helper()
	t.Parallel()
	return startVault(t, testbed.VaultOptions{})
}

// isOpenBao reports which product the server is.
func (b *bed) isOpenBao(t *testing.T) bool {
	t.Helper()
	return testbed.FactsFor(t).Product == testbed.OpenBao
}

// TestSettingsOfTheServer declares settings of mounts that OpenBao drops and Vault has. Where
// they are dropped, plan and run name them and the mount is not written; what is there is not
// tuned either. Where they are not, a second plan is empty.
func TestSettingsOfTheServer(t *testing.T) {
	b := startServer(t)
	b.call(t, "PUT", "sys/mounts/there", m{"type": "transit"})
	b.call(t, "PUT", "sys/auth/there", m{"type": "approle"})
	engine := "delegated_auth_accessors: [a], trim_request_trailing_slashes: true, allowed_managed_keys: [k], identity_token_key: default, max_lease_ttl: 10h, force_no_cache: CACHE"
	method := "options: {trim_request_trailing_slashes: true, identity_token_key: default, max_lease_ttl: 10h}"
	objects := b.inline(t, "secrets:\n  - {type: transit, config: {"+strings.Replace(engine, "CACHE", "true", 1)+"}}\n  - {type: transit, path: there, config: {"+strings.Replace(engine, "CACHE", "false", 1)+"}}\n"+
		"auth:\n  - {type: approle, "+method+"}\n  - {type: approle, path: there, "+method+"}\n")
	plan := b.plan(t, objects)
	if !b.isOpenBao(t) {
		if got := text(t, plan); strings.Contains(got, "does not recognize") {
			t.Errorf("the plan says\n%s", got)
		}
		b.apply(t, objects)
		wantEmpty(t, b.plan(t, objects))
		return
	}
	for _, field := range []string{"allowed_managed_keys", "delegated_auth_accessors", "identity_token_key", "trim_request_trailing_slashes"} {
		want := 4
		if field == "allowed_managed_keys" || field == "delegated_auth_accessors" { // of engines only
			want = 2
		}
		if got := strings.Count(text(t, plan), `! Vault does not recognize the field "`+field+`"`); got != want {
			t.Errorf("the plan names %q %d times, want %d", field, got, want)
		}
	}
	writes := b.writes(t, func() {
		_, err := reconcile.Apply(t.Context(), b.as(t, b.root), plan, reconcile.Options{Parallelism: 16})
		want := `seed.yaml:2:5): Vault does not recognize these fields: "allowed_managed_keys", "delegated_auth_accessors", "identity_token_key", "trim_request_trailing_slashes"`
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Partial || strings.Contains(err.Error(), `"max_lease_ttl"`) {
			t.Errorf("got %v", err)
		}
	})
	if len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// TestTypesOfTheServer declares a mount of a type that the server does not have: the plan says so
// with the place, before anything is written. A plugin of the seed's own is none of those, nor is
// what is compiled in.
func TestTypesOfTheServer(t *testing.T) {
	b := startServer(t)
	lacking := map[string]string{
		"secrets: [{type: kmip}]\n":                               `seed.yaml:1:11: sys/mounts/kmip: this server has no secrets engine "kmip": it is not in the plugin catalog`,
		"auth: [{type: kubernets}]\n":                             `seed.yaml:1:8: sys/auth/kubernets: this server has no auth method "kubernets": it is not in the plugin catalog; did you mean "kubernetes"?`,
		"secrets: [{type: plugin, path: p, plugin_name: mine}]\n": `seed.yaml:1:11: sys/mounts/p: this server has no secrets engine "mine"`,
	}
	if b.isOpenBao(t) {
		for _, kind := range []string{"aws", "azure", "gcp"} {
			lacking["secrets: [{type: "+kind+"}]\n"] = `sys/mounts/` + kind + `: this server has no secrets engine "` + kind + `"`
			lacking["auth: [{type: "+kind+"}]\n"] = `sys/auth/` + kind + `: this server has no auth method "` + kind + `"`
		}
		lacking["auth: [{type: github}]\n"] = `sys/auth/github: this server has no auth method "github"`
	}
	for seedText, want := range lacking {
		writes := b.writes(t, func() {
			objects := b.inline(t, seedText+"policies: [{name: faultless, rules: 'path \"x\" {}'}]\n")
			_, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
			if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Seed || !strings.Contains(fault.RemedyOf(err), "plugins") {
				t.Errorf("%s got %v, want %s", seedText, err, want)
			}
		})
		if len(writes) > 0 {
			t.Errorf("%s: wrote %v", seedText, writes)
		}
	}
	known := "secrets: [{type: database}, {type: generic}, {type: kv-v2, path: kv}, {type: transit}, {type: own}]\nauth: [{type: userpass}, {type: jwt}, {type: oidc}]\nplugins: [{type: secret, plugin_name: own, command: own, sha256: '" + strings.Repeat("ab", 32) + "'}]\n"
	b.plan(t, b.inline(t, known))

	// A policy that an earlier version made does not grant the catalog.
	earlier := b.as(t, b.token(t, "earlier", `path "sys/mounts" { capabilities = ["read"] }`))
	if _, err := reconcile.NewPlan(t.Context(), earlier, reconcile.Goal{Objects: b.inline(t, "secrets: [{type: kmip}]\n"), Memory: b.memory}); err != nil {
		t.Errorf("without the right to read the catalog: %v", err)
	}
}
