package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestAttemptsStayBounded has sys/init fail for a while, with Vault as empty as before: what
// is on record must not grow with every try.
func TestAttemptsStayBounded(t *testing.T) {
	for _, each := range []struct {
		name  string
		fault testbed.Fault
		// most is how many attempts may be on record after span, for one process.
		span time.Duration
		most int
	}{
		// Vault's own refusal counts once the next look finds it empty: the same process goes
		// on with the same attempt.
		{"refused by Vault", testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", Status: http.StatusBadRequest, Body: `{"errors":["no"]}`}, 45 * time.Second, 1},
		// Somebody in between says nothing about Vault: each attempt waits until it is sure that
		// nothing has come of the one before, which takes 30 s.
		{"not answered by Vault", testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"}, 45 * time.Second, 2},
		// So does a connection that breaks.
		{"not answered at all", testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", Cut: true}, 45 * time.Second, 2},
	} {
		t.Run(each.name, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			proxy := proxied(t, cluster)
			p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL)
			tries := proxy.Inject(each.fault)
			watch := p.start("watch", "--health-interval=500ms", "--interval=5s")
			began := time.Now()
			within(t, each.span+30*time.Second, "attempts over a while", func() bool { return time.Since(began) > each.span && tries() > 1 })
			if found := attemptsIn(t, p); len(found) > each.most {
				t.Errorf("%d attempts are on record after %s and %d tries, at most %d", len(found), each.span, tries(), each.most)
			}
			proxy.Clear()
			within(t, time.Minute, "hardened once Vault answers", func() bool { return keysIn(t, p).Set != nil && status(p)["state"] == "hardened" })
			watch.Send(sigterm)
			if r := watch.Wait(); r.Code != 0 {
				t.Errorf("the watch exited with %d\n%s", r.Code, r)
			}
		})
	}
}
