package chart

import (
	"encoding/json"
	"os"
	"os/exec"
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
	load(t, monitoring+"alerts.yaml", &want)
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
		}
	}
	if len(ids) == 0 {
		t.Error("there are no panels")
	}
}
