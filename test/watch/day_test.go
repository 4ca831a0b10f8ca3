package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/long"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// A day of a watch with its defaults, in a minute or two: it looks once a minute. The tokens
// of its login end about as often as in a day.
// 'make test' has four hours of it, in which memory that is lost and tokens that are left show
// as well, only less of them.
const (
	dayLooks  = 24 * 60
	fourHours = 4 * 60
	lookEvery = 40 * time.Millisecond
	tokenEnds = 2 * time.Second
	// mostGrown is how much more memory a watch may hold at the end of the day than when it
	// has settled, in KiB; half of that for four hours.
	mostGrown = 8 << 10
)

// TestDay lets a watch live through a day at a fast pace. Its memory stays flat, each look
// costs the same, and no token, entity or lease of its is left in Vault when it has ended.
func TestDay(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{
		ExtraConfig: fmt.Sprintf("max_lease_ttl = %q\ndefault_lease_ttl = %q\n", tokenEnds, tokenEnds),
	})
	in := install(t, cluster)
	in.start("run").Exits(0)
	root := in.root()
	before := left(t, in, root)
	watch := in.start("watch", "--listen=127.0.0.1:0", "--interval="+lookEvery.String(), "--health-interval=20ms")
	looks := func() int {
		count, _ := watch.metric(`vault_bootstrap_rounds_total{result="idle"}`)
		return int(count)
	}
	until := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d looks", n), 6*time.Minute, func(context.Context) error {
			if got := looks(); got < n {
				return fmt.Errorf("%d looks so far", got)
			}
			return nil
		})
	}
	whole, most := fourHours, mostGrown/2
	if long.Wanted() {
		whole, most = dayLooks, mostGrown
	}
	until(whole / 4)
	settled, lines, at := resident(t, watch), in.lines(), looks()
	until(whole)
	grown, requests := resident(t, watch)-settled, in.lines()-lines
	each := float64(requests) / 2 / float64(looks()-at) // a line for the request, one for the answer
	fmt.Printf("a day of watch: %d looks, %d KiB resident and %+d KiB in three quarters of it, %.1f requests for each look\n", looks(), settled, grown, each)
	if grown > most {
		t.Errorf("it holds %d KiB more than in the morning, at most %d", grown, most)
	}
	if each > 30 {
		t.Errorf("%.1f requests for each look", each)
	}
	watch.Terminates()
	eventually(t, "nothing of it to be left in Vault", time.Minute, func(context.Context) error {
		if after := left(t, in, root); after != before {
			return fmt.Errorf("before: %s; after: %s", before, after)
		}
		return nil
	})
}

// resident returns the memory that a process holds, in KiB.
func resident(t *testing.T, p *process) int {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		if value, found := bytes.CutPrefix(line, []byte("VmRSS:")); found {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(string(value)), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("the kernel does not say how much memory it holds")
	return 0
}

// left says how many tokens, leases of logins and entities are in Vault.
func left(t *testing.T, in *installation, root string) string {
	t.Helper()
	node := in.cluster.Nodes[0]
	count := func(path string) int {
		var answer struct {
			Data struct{ Keys []json.RawMessage }
		}
		err := node.Call(t.Context(), "LIST", path, root, nil, &answer)
		if failed, ok := errors.AsType[*testbed.VaultError](err); ok && failed.Status == http.StatusNotFound {
			return 0
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(answer.Data.Keys)
	}
	return fmt.Sprintf("%d tokens, %d leases of logins, %d entities", count("auth/token/accessors"), count("sys/leases/lookup/auth/approle/login"), count("identity/entity/id"))
}
