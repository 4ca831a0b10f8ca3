package e2e

import (
	"errors"
	"net/http"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestLoginByKubernetes uses both roles with a real API server, and has each part of the
// login fail.
func TestLoginByKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	p, namespace, _ := inKubernetes(t, cluster)
	p.must(0, "run")
	node := cluster.Nodes[0]
	token, child := inside(p, "")
	watch := observe(t, node, token)
	child.Send(syscall.SIGTERM)
	child.Wait()
	watch.wantNoRoot("break-glass exec with the records in Kubernetes")

	t.Run("the role that only reads", func(t *testing.T) {
		var said struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		login := map[string]string{"role": "vault-bootstrap-read", "jwt": tokenOf(t, namespace, "vault-bootstrap", "vault")}
		if err := node.Call(t.Context(), http.MethodPost, "auth/kubernetes/login", "", login, &said); err != nil {
			t.Fatal(err)
		}
		read := said.Auth.ClientToken
		testbed.NoteSecrets(t, read)
		for _, path := range []string{"sys/mounts", "sys/audit", "sys/auth", "sys/policies/acl/app", "sys/policies/acl/vault-bootstrap", "auth/kubernetes/role/vault-bootstrap", "auth/userpass/users/ada"} {
			if err := node.Call(t.Context(), http.MethodGet, path, read, nil, nil); err != nil {
				t.Errorf("reading %s: %v", path, err)
			}
		}
		if err := node.Call(t.Context(), "LIST", "auth/token/accessors", read, nil, nil); err != nil {
			t.Errorf("listing the accessors: %v", err)
		}
		for path, body := range map[string]any{
			"sys/policies/acl/app":                      map[string]string{"policy": ""},
			"sys/mounts/more":                           map[string]string{"type": "kv"},
			"auth/kubernetes/role/vault-bootstrap-read": map[string]string{"token_policies": "root"},
			"auth/token/revoke-accessor":                map[string]string{"accessor": watch.own},
		} {
			err := node.Call(t.Context(), http.MethodPost, path, read, body, nil)
			if failed, ok := errors.AsType[*testbed.VaultError](err); !ok || failed.Status != http.StatusForbidden {
				t.Errorf("writing %s gives %v", path, err)
			}
		}
	})
	t.Run("the reviewer is out of reach", func(t *testing.T) {
		p := *p
		p.t = t
		var before struct{ Data map[string]any }
		if err := node.Call(t.Context(), http.MethodGet, "auth/kubernetes/config", watch.token, nil, &before); err != nil {
			t.Fatal(err)
		}
		change := map[string]any{"kubernetes_host": "https://127.0.0.1:1", "kubernetes_ca_cert": before.Data["kubernetes_ca_cert"]}
		if err := node.Call(t.Context(), http.MethodPost, "auth/kubernetes/config", watch.token, change, nil); err != nil {
			t.Fatal(err)
		}
		wantFailure(t, p.run("run"), 70, "locked out", "by kubernetes: ", "may not review tokens")
		p.must(0, "break-glass run", because)
	})
	t.Run("the role is gone", func(t *testing.T) {
		p := *p
		p.t = t
		if err := node.Call(t.Context(), http.MethodDelete, "auth/kubernetes/role/vault-bootstrap", watch.token, nil, nil); err != nil {
			t.Fatal(err)
		}
		wantFailure(t, p.run("run"), 70, "locked out", "by kubernetes: the role is gone", "break-glass run")
		p.must(0, "break-glass run", because)
		wantEvents(t, "the next plain run", p.must(0, "run").Events())
	})
}
