package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestBreakGlassEndedWhileVaultAnswers ends break-glass when Vault has made the root token
// and its answer is still on the way: the token must not outlive the process.
func TestBreakGlassEndedWhileVaultAnswers(t *testing.T) {
	p, cluster, watch := hardened(t)
	proxy := proxied(t, cluster)
	p.flags = slices.DeleteFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--vault-addr=") })
	p.flags = append(p.flags, "--vault-addr="+proxy.URL)
	const lastShare = "breakglass.finishing"
	run := p.stopped(lastShare, "break-glass exec", because, "--", "/bin/true")
	proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/generate-root/update", After: true, Delay: 2 * time.Second})
	run.Send(syscall.SIGCONT)
	err := testbed.Poll(t.Context(), time.Millisecond, "the root token", func(context.Context) error {
		if len(watch.roots()) == 0 {
			return errors.New("Vault has made none")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run.Send(syscall.SIGTERM)
	if r := run.Wait(); r.Code != 1 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
	watch.wantNoRoot("break-glass was told to end")
	if bytes.Contains(p.keys(), []byte("break_glass")) {
		t.Error("it is still on record")
	}
}
