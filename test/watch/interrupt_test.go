package watch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestTerminatedDuringInit ends a watch while Vault answers sys/init: it stores the
// keys before it goes, and the next one takes them up.
func TestTerminatedDuringInit(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	in := install(t, cluster)
	in.flags = []string{in.flags[0], "--vault-addr=" + proxy.URL}
	stored := func() bool {
		record, err := os.ReadFile(driver.RecordFile(strings.TrimPrefix(in.flags[0], "--store=file:"), "keys"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(record), `"shares"`)
	}
	// The answer is held up after Vault has initialized itself.
	hits := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Delay: 3 * time.Second, Times: 1})
	first := in.watch()
	eventually(t, "initialization", time.Minute, func(ctx context.Context) error {
		var status struct{ Initialized bool }
		if err := cluster.Nodes[0].Call(ctx, http.MethodGet, "sys/init", "", nil, &status); err != nil {
			return err
		}
		if hits() == 0 || !status.Initialized {
			return errors.New("not yet")
		}
		return nil
	})
	if stored() {
		t.Fatal("the keys were stored already: nothing is shown")
	}
	first.Terminates()
	if !stored() {
		t.Fatal("the keys were not stored before the end")
	}
	second := in.watch()
	second.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	if hits() != 1 {
		t.Errorf("Vault was initialized %d times", hits())
	}
	in.root() // made from the stored shares
	second.Terminates()
}
