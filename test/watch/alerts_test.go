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

// impatientRules is a copy of the rules that we ship in which alerts fire after other times than
// minutes, each given as what it is and what it becomes. Nothing else differs.
func impatientRules(t *testing.T, times map[string][2]string) string {
	t.Helper()
	const shipped, begins = "../../manifests/monitoring/alerts.yaml", "- alert: "
	rules := strings.Split(read(t, shipped), begins)
	for i, rule := range rules {
		name, _, _ := strings.Cut(rule, "\n")
		change, wanted := times[name]
		if !wanted {
			continue
		}
		if strings.Count(rule, "for: "+change[0]+"\n") != 1 {
			t.Fatalf("the rule %s does not say %q once", name, change[0])
		}
		rules[i] = strings.Replace(rule, "for: "+change[0]+"\n", "for: "+change[1]+"\n", 1)
		delete(times, name)
		t.Logf("%s is as in %s, but for %s instead of %s", name, shipped, change[1], change[0])
	}
	if len(times) > 0 {
		t.Fatalf("there are no rules %v", times)
	}
	file := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(rules, begins)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAlertsFire has a real Prometheus scrape real watches, and breaks what they watch.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rules := impatientRules(t, map[string][2]string{"VaultBootstrapDrift": {"5m", "5s"}})
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
		// The lead is lost, and another one has it: nothing is mended.
		second := in.watch()
		second.Says("another watch leads", 1)
		p.watches(map[string]*process{"ours": ours, "ours/second": second, "theirs": theirs})
		p.scrapes(3)
		ours.Kill()
		second.Says(`"msg":"leading"`, 1)
		ours = second
		p.watches(map[string]*process{"ours": ours, "theirs": theirs})
		p.scrapes(2)
		if still := p.becomes("VaultBootstrapSealed", "ours", "firing", 15*time.Second); !still.ActiveAt.Equal(fires.ActiveAt) {
			t.Errorf("when the lead was lost, the alert was over: it was active since %s, and is since %s", fires.ActiveAt, still.ActiveAt)
		}
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

// TestAlertsOfSilence kills one replica, and then all.
func TestAlertsOfSilence(t *testing.T) {
	t.Parallel()
	rules := impatientRules(t, map[string][2]string{"VaultBootstrapDown": {"2m", "10s"}, "VaultBootstrapSilentReplica": {"5m", "20s"}})
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	in := install(t, cluster)
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	for _, node := range cluster.Nodes {
		opens(t, node)
	}
	w.shows(`vault_bootstrap_sealed_replicas`, 0)
	voters(t, cluster, in.root()) // with fewer, the cluster may be lost with one of them
	p := prometheusFor(t, rules, map[string]*process{"vault": w})
	p.scrapes(1)
	p.quiet("vault")
	active, err := cluster.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	standby := cluster.Nodes[0]
	if standby == active {
		standby = cluster.Nodes[1]
	}
	kill := func(nodes ...*testbed.VaultNode) time.Time {
		t.Helper()
		for _, node := range nodes {
			if err := node.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		return time.Now()
	}
	bring := func(nodes ...*testbed.VaultNode) {
		t.Helper()
		for _, node := range nodes {
			if err := node.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p.quiet("vault")
	}

	died := kill(standby)
	p.becomes("VaultBootstrapSilentReplica", "vault", "firing", 90*time.Second)
	t.Logf("one dead: VaultBootstrapSilentReplica fires after %s", time.Since(died).Round(time.Millisecond))
	all, err := p.alerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range all {
		if each.is("VaultBootstrapDown", "vault") {
			t.Errorf("one is dead, and there is %v", each)
		}
	}
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	bring(standby)

	died = kill(cluster.Nodes...)
	fires := p.becomes("VaultBootstrapDown", "vault", "firing", 90*time.Second)
	t.Logf("all dead: VaultBootstrapDown fires after %s", time.Since(died).Round(time.Millisecond))
	if fires.Labels["severity"] != "critical" || fires.Labels["bootstrap"] != "vault-bootstrap" || !strings.Contains(fires.Annotations["runbook_url"], "#what-you-see") {
		t.Errorf("it is %v", fires)
	}
	for _, series := range []string{`vault_bootstrap_state{state="hardened"}`, "vault_bootstrap_sealed_replicas", "vault_bootstrap_drift"} {
		if value, there := w.metric(series); there {
			t.Errorf("nobody answers, and %s is %v", series, value)
		}
	}
	bring(cluster.Nodes...)
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	w.Terminates()
}
