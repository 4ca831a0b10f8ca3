package watch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestCalmAboutWhatDoesNotStay declares what the server takes and never shows so: an empty
// token_type leaves the setting as it is. A watch tries that with growing pauses, says so once,
// and shows it in its metrics; when the seed is corrected, it is done at once.
func TestCalmAboutWhatDoesNotStay(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in := install(t, cluster)
	seed := strings.ReplaceAll(in.text(), "secrets:", "auth: [{type: userpass, options: {token_type: \"\"}}]\nsecrets:")
	in.sow(seed)
	w := in.watch()
	w.Says("not written a second time", 1)
	var tried []time.Time // by the server's clock: it is made, and then tuned
	eventually(t, "two more tries", time.Minute, func(context.Context) error {
		tried = nil
		for _, each := range in.requests(0).Requests() {
			if call := each.Call(); call == "update sys/auth/userpass" || call == "update sys/auth/userpass/tune" {
				tried = append(tried, each.Time)
			}
		}
		if len(tried) < 3 {
			return fmt.Errorf("there were %d", len(tried))
		}
		return nil
	})
	// The pauses are 5 s and 15 s.
	if first, second := tried[1].Sub(tried[0]), tried[2].Sub(tried[1]); first < 4*time.Second || second < 13*time.Second {
		t.Errorf("the pauses were %s and %s", first, second)
	}
	w.shows("vault_bootstrap_plan_changes", 1)
	w.shows("vault_bootstrap_drift", 1)
	if value, there := w.metric(`vault_bootstrap_act_failures_total{event="seed",kind="partial"}`); !there || value < 1 {
		t.Errorf("failures of the act: %v (there: %t)", value, there)
	}
	if said := strings.Count(w.Shown(), "not written a second time"); said > 3 { // the act, the walk and the round that it ended
		t.Errorf("it was said %d times", said)
	}
	in.sow(strings.ReplaceAll(seed, `{token_type: ""}`, "{}"))
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	w.shows("vault_bootstrap_drift", 0)
	w.Terminates()
}
