package seed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

func loadText(t *testing.T, files ...string) (*seed.Seed, string, error) {
	t.Helper()
	dir := t.TempDir()
	for i, text := range files {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := seed.Load([]string{dir})
	return loaded, dir, err
}

// TestLogin reads the ways to log in, in their order, with what they refer to.
func TestLogin(t *testing.T) {
	loaded, dir, err := loadText(t, `
login:
  - method: kubernetes
    path: clusters/a/
    token_file: token
    audience: '${ env "AUDIENCE" }-a'
    kubernetes_host: https://kube.example.org
  - method: userpass
    password_file: /run/password
  - method: approle
`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := loaded.Login(t.Context(), env(map[string]string{"AUDIENCE": "vault"}))
	if err != nil {
		t.Fatal(err)
	}
	want := []seed.LoginMethod{
		{Method: "kubernetes", Path: "clusters/a", TokenFile: filepath.Join(dir, "token"), Audience: "vault-a", KubernetesHost: "https://kube.example.org"},
		{Method: "userpass", PasswordFile: "/run/password"},
		{Method: "approle"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d methods, want %d", len(got), len(want))
	}
	for i := range want {
		got[i].Position = value.Position{}
		if got[i] != want[i] {
			t.Errorf("method %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	_, err = loaded.Login(t.Context(), env(nil))
	if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), `a.yaml:6:15: the environment variable "AUDIENCE" is not set`) {
		t.Errorf("without the variable: %v", err)
	}
}

// TestLoginTwice refuses two files that both say how to log in.
func TestLoginTwice(t *testing.T) {
	_, _, err := loadText(t, "login: [{method: jwt}]\n", "login: [{method: approle}]\n")
	if err == nil || !strings.Contains(err.Error(), "b.yaml:1:1: duplicate section login, first at ") {
		t.Errorf("got %v", err)
	}
}
