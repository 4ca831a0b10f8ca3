package seed_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestRetries has a proxy in front of a real Vault give the answers of an overloaded,
// an electing and a lagging server, and cut answers off: each call is repeated by
// itself, and the seed is applied in one go.
func TestRetries(t *testing.T) {
	b := start(t)
	proxy := testbed.HTTPProxyFor(t, b.Addr)
	faults := []testbed.Fault{
		{Method: http.MethodPut, Path: "/v1/sys/policies/acl/a", Times: 2, Status: http.StatusTooManyRequests, Body: `{"errors":["request rate limit quota exceeded"]}`},
		{Method: http.MethodPut, Path: "/v1/sys/policies/acl/b", Times: 2, Status: http.StatusPreconditionFailed, Body: `{"errors":["required index state not present"]}`},
		{Method: http.MethodPut, Path: "/v1/sys/mounts/kv", Times: 2, Status: http.StatusServiceUnavailable, Body: `{"errors":["Vault is sealed"]}`},
		{Method: http.MethodPut, Path: "/v1/auth/approle/role/r", Times: 2, Status: http.StatusInternalServerError, Body: `{"errors":["local node not active but active cluster node not found"]}`},
		{Method: http.MethodPut, Path: "/v1/identity/entity/name/e", Times: 2, Status: http.StatusInternalServerError, Body: `{"errors":["an internal error"]}`},
		{Method: http.MethodPut, Path: "/v1/identity/group/name/g", Times: 1, Cut: true},
		{Method: http.MethodGet, Path: "/v1/sys/auth", Times: 2, Status: http.StatusBadGateway},
		// Vault has done it, and its answer is lost.
		{Method: http.MethodPut, Path: "/v1/auth/approle/role/lost", Times: 1, After: true, Cut: true},
	}
	var hits []func() int
	for _, f := range faults {
		hits = append(hits, proxy.Inject(f))
	}
	cluster, err := vault.New(vault.Config{Addresses: []string{proxy.URL}})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.Session(proxy.URL, secret.New(b.root))
	if err != nil {
		t.Fatal(err)
	}
	objects := b.inline(t, "policies:\n  - {name: a, rules: 'path \"x\" {}'}\n  - {name: b, rules: 'path \"y\" {}'}\nsecrets: [{type: kv}]\n"+
		"auth: [{type: approle, roles: [{name: r, token_ttl: 1h}, {name: lost, token_ttl: 1h}]}]\nentities: [{name: e}]\ngroups: [{name: g}]\n")
	p, err := reconcile.NewPlan(t.Context(), session, reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reconcile.Apply(t.Context(), session, p, reconcile.Options{Parallelism: 16})
	if err != nil || len(result.Created) != len(objects) {
		t.Errorf("created %d of %d: %v", len(result.Created), len(objects), err)
	}
	for i, f := range faults {
		if hits[i]() != f.Times {
			t.Errorf("%s %s: %d faults, want %d", f.Method, f.Path, hits[i](), f.Times)
		}
	}
	b.memory.Hashes = result.Hashes
	wantEmpty(t, b.plan(t, objects))
	if fmt.Sprint(result.Updated) != "[]" {
		t.Errorf("updated %v", result.Updated)
	}
}

// TestQuotaChangesMeanwhile deletes and makes a rate limit quota over and over, while
// others read: Vault answers 500 to a request that meets the change, and the request
// is repeated.
func TestQuotaChangesMeanwhile(t *testing.T) {
	b := start(t)
	cluster, err := vault.New(vault.Config{Addresses: []string{b.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.Session(b.Addr, secret.New(b.root))
	if err != nil {
		t.Fatal(err)
	}
	const quota = "sys/quotas/rate-limit/global"
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := session.Read(t.Context(), "sys/policies/acl/default"); err != nil {
					t.Errorf("a read fails: %v", err)
					return
				}
			}
		})
	}
	for i := range 300 {
		if _, err := session.Write(t.Context(), quota, map[string]any{"rate": 1_000_000 + i}); err != nil {
			t.Errorf("round %d: %v", i, err)
			break
		}
		if err := session.Delete(t.Context(), quota); err != nil {
			t.Errorf("round %d: %v", i, err)
			break
		}
	}
	close(done)
	readers.Wait()
}
