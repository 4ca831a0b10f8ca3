package job

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/cloud"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// TestOwnSecrets checks which Kubernetes Secrets and variables count as ours.
func TestOwnSecrets(t *testing.T) {
	own := credentials{store: &StoreOptions{Name: "vault.a"}, vault: &VaultOptions{}, login: &LoginOptions{}}
	env := func(string) (string, bool) { return "", false }
	guard := own.guard(env)
	own.declared = []seed.LoginMethod{{Method: "aws"}}
	byAWS := own.guard(env)
	for _, test := range []struct {
		guard func(seed.ReferenceKind, string) string
		kind  seed.ReferenceKind
		name  string
		own   bool
	}{
		{guard, seed.ReferenceSecret, "vault.a-keys", true},
		{guard, seed.ReferenceSecret, "vault.a-state", true},
		{guard, seed.ReferenceSecret, "vault.a-state-b12", true},
		{guard, seed.ReferenceSecret, "vault-a-keys", false},
		{guard, seed.ReferenceSecret, "my-vault.a-keys", false},
		{guard, seed.ReferenceSecret, "vault.a-keys-of-the-app", false},
		{guard, seed.ReferenceEnv, "VAULT_TOKEN", true},
		{guard, seed.ReferenceEnv, "AWS_SECRET_ACCESS_KEY", false}, // usually that of the aws secrets engine
		{byAWS, seed.ReferenceEnv, "AWS_SECRET_ACCESS_KEY", true},
		{guard, seed.ReferenceSecret, "VAULT_TOKEN", false},
	} {
		if got := test.guard(test.kind, test.name); (got != "") != test.own {
			t.Errorf("%s: %q, want it to be ours: %v", test.name, got, test.own)
		}
	}
}

// TestOwnFiles checks a service account's volume, as the kubelet lays it out, and several names of
// one file.
func TestOwnFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(at("account/..2026_old"), 0o700))
	must(os.MkdirAll(at("account/..2026_new"), 0o700))
	for _, name := range []string{"account/..2026_old/token", "account/..2026_new/token", "account/..2026_new/ca.crt", "password", "other"} {
		must(os.WriteFile(at(name), []byte("x"), 0o600))
	}
	must(os.Symlink("..2026_new", at("account/..data")))
	must(os.Symlink("..data/token", at("account/token")))
	must(os.Symlink("..data/ca.crt", at("account/ca.crt")))
	must(os.Link(at("password"), at("hard-link")))
	must(os.Symlink(dir, at("round")))

	files := ownFiles{account: at("account"), known: map[string]string{at("password"): "the password", at("none"): "nothing"}}
	for name, own := range map[string]bool{
		"account/token": true, "account/..data/token": true, "account/..2026_old/token": true, "round/account/token": true,
		"account/ca.crt": false, "other": false, "missing": false,
		"password": true, "hard-link": true, "round/round/password": true, "account/../password": true,
	} {
		if got := files.holds(dir + "/" + name); (got != "") != own {
			t.Errorf("%s: %q, want it to be ours: %v", name, got, own)
		}
	}
}

// TestFederatedTokenIsOurs keeps a seed from reading what we log in to Azure with.
func TestFederatedTokenIsOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		if name != cloud.AzureTokenFile {
			return "", false
		}
		return file, true
	}
	for method, own := range map[string]bool{"azure": true, "approle": false} {
		guard := credentials{store: &StoreOptions{Name: "vb"}, vault: &VaultOptions{}, login: &LoginOptions{Methods: []string{method}}}.guard(env)
		if got := guard(seed.ReferenceFile, file); (got != "") != own {
			t.Errorf("%s: %q, want it to be ours: %v", method, got, own)
		}
	}
}
