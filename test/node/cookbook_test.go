package node

import (
	"errors"
	"net/http"
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
	var session struct {
		Data struct{ Data map[string]string }
	}
	if err := s.ask(t.Context(), "vault-0", request{http.MethodGet, "kv/data/" + s.namespace + "/session", token, nil}, &session); err != nil || len(session.Data.Data["signing_key"]) != 64 {
		t.Errorf("the key has %d characters: %v", len(session.Data.Data["signing_key"]), err)
	}
	testbed.NoteSecrets(t, session.Data.Data["signing_key"])
	if err := s.ask(t.Context(), "vault-0", request{http.MethodGet, "kv/data/other/session", token, nil}, nil); !denied(err) {
		t.Errorf("another namespace's part: %v, want 403", err)
	}

	s.release("upgrade", values, "--wait", "--wait-for-jobs", "--set-file=seed.files.seed\\.yaml="+s.recipe("vault-config-operator", "namespaces: [vault-config-operator]", "namespaces: ["+s.namespace+"]"))
	token = s.login("vault-config-operator", "controller-manager", "")
	if err := s.ask(t.Context(), "vault-0", request{http.MethodPut, "sys/mounts/team-a", token, map[string]string{"type": "kv"}}, nil); err != nil {
		t.Error(err)
	}
	if err := s.ask(t.Context(), "vault-0", request{http.MethodPut, "sys/mounts/other", token, map[string]string{"type": "kv"}}, nil); !denied(err) {
		t.Errorf("a mount of nobody's: %v, want 403", err)
	}
}

// denied reports whether Vault has answered that a token may not.
func denied(err error) bool {
	answer, ok := errors.AsType[answered](err)
	return ok && answer.status == http.StatusForbidden
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
	var answer struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := s.ask(s.t.Context(), "vault-0", request{http.MethodPut, "auth/kubernetes/login", "", map[string]string{"role": role, "jwt": jwt}}, &answer); err != nil {
		s.t.Fatal(err)
	}
	testbed.NoteSecrets(s.t, answer.Auth.ClientToken)
	return answer.Auth.ClientToken
}
