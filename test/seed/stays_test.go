package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestWhatCannotBeDeleted takes configuration out of a seed that prunes, which Vault has no way to
// delete: the plan says that it stays, and deletes nothing else than what can be.
func TestWhatCannotBeDeleted(t *testing.T) {
	b := startServer(t)
	mounts := "prune: owned\nauth:\n  - type: radius%\n  - type: userpass*\nsecrets:\n  - type: transit#\n  - type: pki@\n  - {type: kv, path: two, options: {version: '2'}&}\n"
	with := strings.NewReplacer(
		"%", "\n    config: {host: radius.example, secret: of-the-suite}", "*", "\n    users: [{username: u, password: correct-horse, token_policies: [a]}]",
		"#", "\n    configuration: {cache-config: [{size: 600}], 'config/keys': [{disable_upsert: true}]}", "@", "\n    configuration: {'config/crl': [{expiry: 72h}], roles: [{name: r, ttl: 1h}, {name: s, ttl: 1h}]}",
		"&", ", configuration: {config: [{max_versions: 3}]}").Replace(mounts)
	without := strings.NewReplacer("%", "", "*", "", "#", "", "@", "", "&", "").Replace(mounts)
	l := &ledger{}
	l.run(t, b, parse(t, with))
	pruning := parse(t, without)
	p := l.plan(t, b, pruning)
	got := text(t, p)
	for _, id := range []string{"auth/radius/config", "transit/cache-config", "transit/config/keys", "pki/config/crl", "two/config"} {
		if !strings.Contains(got, "  "+id+" stays\n    Vault has no way to delete it") {
			t.Errorf("%s: the plan does not say that it stays", id)
		}
	}
	if p.Count(reconcile.Delete) != 3 || t.Failed() {
		t.Errorf("the plan says\n%s", got)
	}
	if _, writes := l.run(t, b, pruning); strings.Join(writes, " ") != "delete auth/userpass/users/u delete pki/roles/r delete pki/roles/s" {
		t.Errorf("wrote %v", writes)
	}
	if p := l.plan(t, b, pruning); len(p.Left) > 0 || !p.Empty() {
		t.Errorf("afterwards it is not forgotten:\n%s", text(t, p))
	}
}

// TestDeletedWithCapitals prunes a role or group whose name has capitals, where the server keeps
// names in lower case but does not look for them so when it deletes.
func TestDeletedWithCapitals(t *testing.T) {
	b := startServer(t)
	mount, path, with := "gcp", "auth/gcp/role/App", ", roles: [{name: App, type: iam, bound_service_accounts: [a@b.iam.gserviceaccount.com]}]"
	if b.isOpenBao(t) { // which has no gcp
		mount, path, with = "ldap", "auth/ldap/groups/App", ", groups: [{name: App, policies: [app]}]"
	}
	l := &ledger{}
	l.run(t, b, parse(t, "prune: owned\nauth: [{type: "+mount+with+"}]\n"))
	if _, found, err := (api{b.VaultNode, b.root}).Read(t.Context(), path); err != nil || !found {
		t.Fatalf("it is not there: %v", err)
	}
	l.run(t, b, parse(t, "prune: owned\nauth: [{type: "+mount+"}]\n"))
	for _, name := range []string{path, strings.TrimSuffix(path, "App") + "app"} {
		if _, found, err := (api{b.VaultNode, b.root}).Read(t.Context(), name); err != nil || found {
			t.Errorf("%s is still there (%v)", name, err)
		}
	}
}
