package e2e

import (
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestAttemptsOfRuns has one run after another ask a Vault that refuses to be initialized:
// each may leave one attempt, however often it has asked.
func TestAttemptsOfRuns(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL)
	tries := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", Status: http.StatusBadRequest, Body: `{"errors":["no"]}`})
	const runs = 3
	for range runs {
		if r := p.run("run", "--timeout=15s"); r.Code == 0 {
			t.Fatalf("a run succeeded at a Vault that refuses\n%s", r)
		}
	}
	wantUninitialized(t, cluster)
	if tries() == 0 {
		t.Fatal("Vault was never asked: nothing is shown")
	}
	if found := attemptsIn(t, p); len(found) > runs {
		t.Errorf("%d attempts are on record after %d runs and %d tries", len(found), runs, tries())
	}
	proxy.Clear()
	p.must(0, "run")
}
