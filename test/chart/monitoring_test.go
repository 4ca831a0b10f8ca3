package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const monitoring = "../../manifests/monitoring/"

// TestAlertsFire has promtool run the rules over made-up series.
func TestAlertsFire(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		var err error
		if promtool, err = exec.LookPath("promtool"); err != nil {
			t.Skip("promtool is not on PATH: Debian's package prometheus has it, and PROMTOOL may name one")
		}
	}
	for _, args := range [][]string{{"check", "rules", monitoring + "alerts.yaml"}, {"test", "rules", monitoring + "alerts_test.yaml"}} {
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// metric finds the names of our metrics in expressions and in prose.
var metric = regexp.MustCompile(`vault_bootstrap_[a-z_]+`)

// TestMetricsAreThoseOfTheDocumentation looks up what alerts and dashboard ask for.
func TestMetricsAreThoseOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	known := metric.FindAllString(string(page), -1)
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		content, err := os.ReadFile(monitoring + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, used := range metric.FindAllString(string(content), -1) {
			if !slices.Contains(known, strings.TrimSuffix(used, "_bucket")) {
				t.Errorf("%s asks for %s, which docs/monitoring.md does not have", name, used)
			}
		}
	}
}

// TestOperatorObjects compares what the Prometheus operator is given with the plain rules.
func TestOperatorObjects(t *testing.T) {
	found := render(t, "mode: watch\nmonitoring: {podMonitor: true, prometheusRule: true, labels: {release: prometheus}}")
	rule, monitor := found.one(t, "PrometheusRule"), found.one(t, "PodMonitor")
	var want struct{ Groups any }
	shipped, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The rules of a release are about itself, or those of two would fire twice.
	ours := strings.ReplaceAll(string(shipped), `bootstrap=~".+"`, `namespace="vault",bootstrap="vault-bootstrap"`)
	own := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(own, []byte(ours), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, own, &want)
	if got := rule.at(t, "spec", "groups"); !reflect.DeepEqual(got, want.Groups) {
		t.Errorf("the PrometheusRule has %v", got)
	}
	for _, each := range []*object{rule, monitor} {
		if got := each.GetLabels()["release"]; got != "prometheus" {
			t.Errorf("%s has the label %q", each.GetKind(), got)
		}
	}
	pod := found.one(t, "Deployment").at(t, "spec", "template", "metadata", "labels").(map[string]any)
	for key, value := range monitor.at(t, "spec", "selector", "matchLabels").(map[string]any) {
		if pod[key] != value {
			t.Errorf("the PodMonitor looks for %s=%v, the pods have %v", key, value, pod[key])
		}
	}
}

// heading finds the sections of the runbook.
var heading = regexp.MustCompile(`(?m)^## (.+)$`)

// TestAlertsLeadToTheRunbook looks up where each alert sends its reader.
func TestAlertsLeadToTheRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := []string{}
	for _, found := range heading.FindAllStringSubmatch(string(page), -1) {
		sections = append(sections, strings.ReplaceAll(strings.ToLower(found[1]), " ", "-"))
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	load(t, monitoring+"alerts.yaml", &rules)
	for _, rule := range rules.Groups[0].Rules {
		address, anchor, _ := strings.Cut(rule.Annotations["runbook_url"], "#")
		if !strings.HasSuffix(address, "/docs/runbook.md") {
			t.Errorf("%s leads to %q", rule.Alert, address)
		}
		if rule.Alert == "VaultBootstrapTerminalError" { // which leads to the section of its name
			continue
		}
		if !slices.Contains(sections, anchor) {
			t.Errorf("%s leads to the section %q, which the runbook does not have", rule.Alert, anchor)
		}
		if !strings.Contains(string(page), "`"+rule.Alert+"`") {
			t.Errorf("the runbook says nothing of %s", rule.Alert)
		}
		if strings.Count(rule.Expr, "vault_bootstrap_") != strings.Count(rule.Expr, `{bootstrap=~".+"`) {
			t.Errorf("%s has a selector that the chart does not narrow: %s", rule.Alert, rule.Expr)
		}
	}
	if len(rules.Groups[0].Rules) == 0 {
		t.Error("there are no rules")
	}
}

// TestDashboard reads it as Grafana does, as far as mistakes are usual: panels that
// overlap or have one number, and queries that forget the namespace.
func TestDashboard(t *testing.T) {
	content, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] {
			t.Errorf("two panels have the number %d", panel.ID)
		}
		ids[panel.ID] = true
		at := panel.GridPos
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q has no room at %d, %d (%q)", panel.Title, x, y, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		for _, target := range panel.Targets {
			if !strings.Contains(target.Expr, `namespace=~"$namespace"`) {
				t.Errorf("%q asks for all namespaces: %s", panel.Title, target.Expr)
			}
			if !strings.Contains(target.Expr, "by (namespace, bootstrap") {
				t.Errorf("%q folds namespaces: %s", panel.Title, target.Expr)
			}
		}
	}
	if len(ids) == 0 {
		t.Error("there are no panels")
	}
}
