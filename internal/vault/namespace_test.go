package vault

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestNamespace holds which requests carry the namespace: those of a session, and no other. OpenBao
// refuses the server's own endpoints in a namespace, and the API client puts back a header that is
// taken out of a request.
func TestNamespace(t *testing.T) {
	t.Setenv("VAULT_NAMESPACE", "of-a-person")
	var mu sync.Mutex
	got := map[string][]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		path := r.Method + " " + r.URL.Path
		got[path] = append(got[path], r.Header.Get(api.NamespaceHeaderName)+" "+r.Header.Get("X-Vault-Token")+" "+r.Header.Get(ReasonHeader))
		_, _ = w.Write([]byte(`{"initialized": true, "sealed": false, "started": false, "request_id": "r", "data": {}}`))
	}))
	defer server.Close()
	cluster, err := New(Config{Addresses: []string{server.URL}, Namespace: "team/x"})
	check(t, err)
	replica := cluster.Replicas()[0]
	_, err = replica.Health(t.Context())
	check(t, err)
	_, err = replica.Glimpse(t.Context(), "sys/metrics")
	check(t, err)
	_, err = replica.RootAttempt(t.Context(), Endpoints{Token: secret.New("given")})
	check(t, err)

	session, err := cluster.Session(server.URL, secret.New("mine"))
	check(t, err)
	session.SetReason("because")
	same(t, "namespace", session.Namespace(), "team/x")
	_, _, err = session.Read(t.Context(), "sys/mounts")
	check(t, err)
	root := session.InRoot()
	same(t, "root namespace", root.Namespace(), "")
	check(t, root.RevokeSelf(t.Context()))
	_, _, err = session.View().InRoot().Read(t.Context(), "sys/audit")
	check(t, err)
	_, err = session.Peek(t.Context(), "sys/rekey/init")
	check(t, err)
	_, _, err = session.Read(t.Context(), "sys/auth")
	check(t, err)
	same(t, "requests", got, map[string][]string{
		"GET /v1/sys/health":                {"  "},
		"GET /v1/sys/metrics":               {"  "},
		"GET /v1/sys/generate-root/attempt": {" given "},
		"GET /v1/sys/mounts":                {"team/x mine because"},
		"PUT /v1/auth/token/revoke-self":    {" mine because"},
		"GET /v1/sys/audit":                 {" mine because"},
		"GET /v1/sys/rekey/init":            {" mine because"},
		"GET /v1/sys/auth":                  {"team/x mine because"},
	})
}
