package node

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestCookbookInCluster applies the seeds of the cookbook that pods log in by, with the
// configuration of the auth method as they have it: Vault reviews tokens with its own
// pod's token and CA. Service accounts then log in, and read what is theirs.
func TestCookbookInCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	s.kubectl("create", "serviceaccount", "shop")
	s.kubectl("create", "serviceaccount", "controller-manager")

	const values = "mode: job\nvault: {scheme: http}\n"
	s.release("install", values, "--wait", "--wait-for-jobs", "--set-file=seed.files.seed\\.yaml="+s.recipe("kubernetes-app", "namespaces: [shop]", "namespaces: ["+s.namespace+"]", "kv/shop/session", "kv/"+s.namespace+"/session"))
	s.wantHardened(3)
	token := s.login("shop", "shop", "vault")
	if key := s.cli(token, "kv", "get", "-field=signing_key", "kv/"+s.namespace+"/session"); len(key) != 64 {
		t.Errorf("the key has %d characters", len(key))
	}
	if _, err := s.try(token, "kv", "get", "kv/other/session"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("another namespace's part: %v, want 403", err)
	}

	s.release("upgrade", values, "--wait", "--wait-for-jobs", "--set-file=seed.files.seed\\.yaml="+s.recipe("vault-config-operator", "namespaces: [vault-config-operator]", "namespaces: ["+s.namespace+"]"))
	token = s.login("vault-config-operator", "controller-manager", "")
	s.cli(token, "secrets", "enable", "-path=team-a", "kv")
	if _, err := s.try(token, "secrets", "enable", "-path=other", "kv"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a mount of nobody's: %v, want 403", err)
	}
}

// recipe returns a file with a seed of the cookbook, with edits: old, new, …
func (s *site) recipe(name string, edits ...string) string {
	s.t.Helper()
	content, err := os.ReadFile(shipped("docs/cookbook/" + name + ".yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(string(content), edits[i]) {
			s.t.Fatalf("%s does not hold %q", name, edits[i])
		}
	}
	file := s.t.TempDir() + "/" + name + ".yaml"
	if err := os.WriteFile(file, []byte(strings.NewReplacer(edits...).Replace(string(content))), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// login logs a service account in by a role of the Kubernetes method, and returns the
// token that Vault gives out. An empty audience is that of the API server.
func (s *site) login(role, account, audience string) string {
	s.t.Helper()
	var audiences []string
	if audience != "" {
		audiences = []string{audience}
	}
	jwt, err := cluster.ServiceAccountToken(s.t.Context(), s.namespace, account, audiences, 10*time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	testbed.NoteSecrets(s.t, jwt)
	token := s.cli("", "write", "-field=token", "auth/kubernetes/login", "role="+role, "jwt="+jwt)
	testbed.NoteSecrets(s.t, token)
	return token
}

// cli runs Vault's own command line in a pod of Vault.
func (s *site) cli(token string, args ...string) string {
	s.t.Helper()
	out, err := s.try(token, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *site) try(token string, args ...string) (string, error) {
	env := []string{"env", "VAULT_ADDR=http://127.0.0.1:8200", "VAULT_TOKEN=" + token}
	out, err := cluster.Kubectl(s.t.Context(), append(append([]string{"-n", s.namespace, "exec", "vault-0", "--"}, append(env, "vault")...), args...)...)
	if err != nil {
		// The arguments hold tokens.
		return "", fmt.Errorf("vault %s: %s", args[0], lastLines(err))
	}
	return strings.TrimSpace(out), nil
}

// lastLines returns what a command has written, without the command itself.
func lastLines(err error) string {
	_, said, _ := strings.Cut(err.Error(), "]: ")
	return said
}
