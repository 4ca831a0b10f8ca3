package watch

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// impatientRules is a copy of the rules that we ship in which drift is an alert after
// seconds, not minutes. Nothing else differs.
func impatientRules(t *testing.T) string {
	t.Helper()
	const shipped, is, becomes = "../../manifests/monitoring/alerts.yaml", "for: 5m", "for: 5s"
	before, rule, found := strings.Cut(read(t, shipped), "- alert: VaultBootstrapDrift\n")
	rule, after, another := strings.Cut(rule, "- alert: ")
	if !found || !another || strings.Count(rule, is) != 1 {
		t.Fatalf("the rule for drift does not say %q once", is)
	}
	t.Logf("the rules are those of %s; only VaultBootstrapDrift has %q instead of %q", shipped, becomes, is)
	file := filepath.Join(t.TempDir(), "alerts.yaml")
	text := before + "- alert: VaultBootstrapDrift\n" + strings.Replace(rule, is, becomes, 1) + "- alert: " + after
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAlertsFire has a real Prometheus scrape real watches, and breaks what they watch.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rules := impatientRules(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	proxy := testbed.HTTPProxyFor(t, node.Addr)
	in, namespace := installInKubernetes(t, cluster)
	in.flags = []string{in.flags[0], "--vault-addr=" + proxy.URL}
	ours := in.watch()

	// Beside it one has a Vault of somebody else's before it.
	foreign := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := foreign.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	other := install(t, foreign)
	theirs := other.watch()

	ours.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	theirs.shows(`vault_bootstrap_terminal_error{name="not ours"}`, 1)
	root := in.rootFrom(keysOf(t, namespace))
	p := prometheusFor(t, rules, map[string]*process{"ours": ours, "theirs": theirs})
	p.scrapes(2)
	p.quiet("ours")

	t.Run("terminal error", func(t *testing.T) {
		got := p.becomes("VaultBootstrapTerminalError", "theirs", "firing", 15*time.Second)
		if got.Labels["name"] != "not ours" || got.Labels["severity"] != "critical" || !strings.Contains(got.Annotations["summary"], "not ours") {
			t.Errorf("it is %v", got)
		}
	})
	t.Run("drift that cannot be put right", func(t *testing.T) {
		const policy = "sys/policies/acl/app"
		refused := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/" + policy, Status: http.StatusServiceUnavailable})
		if err := in.call(http.MethodDelete, policy, root, nil, nil); err != nil {
			t.Fatal(err)
		}
		p.becomes("VaultBootstrapDrift", "ours", "firing", 30*time.Second)
		if refused() == 0 {
			t.Error("the watch has not tried to put it right: nothing is shown")
		}
		proxy.Clear()
		in.sow(in.text() + "# Look again.\n")
		p.quiet("ours")
		in.comes(t, policy, root)
	})
	t.Run("sealed for a minute", func(t *testing.T) {
		proxy.Inject(testbed.Fault{Path: "/v1/sys/unseal", Status: http.StatusServiceUnavailable})
		if err := node.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.becomes("VaultBootstrapSealed", "ours", "pending", 30*time.Second)
		fires := p.becomes("VaultBootstrapSealed", "ours", "firing", 150*time.Second)
		after := time.Since(fires.ActiveAt)
		if after < time.Minute || after > 90*time.Second {
			t.Errorf("it fires %s after the replica was seen to be sealed", after)
		}
		t.Logf("it fires %s after the replica was seen to be sealed", after.Round(time.Millisecond))
		proxy.Clear()
		in.sow(in.text() + "# And again.\n")
		p.quiet("ours")
		opens(t, node)
	})
	t.Run("what a person has mended", func(t *testing.T) {
		if err := foreign.Unseal(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		other.adopt(keys)
		p.quiet("theirs")
	})
	ours.Terminates()
	theirs.Terminates()
}
