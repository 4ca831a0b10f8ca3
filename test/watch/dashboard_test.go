package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// dashboard is what Grafana reads of the one that we ship to ask Prometheus.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Type, Query, AllValue string }
	}
	Panels []struct {
		Title, Type string
		Targets     []target
	}
}

// target is one query of a panel.
type target struct {
	Expr, LegendFormat, Format string
	Instant                    bool
}

// label finds the labels in the format of a legend.
var label = regexp.MustCompile(`{{(\w+)}}`)

// legend is the name that Grafana gives a series. A label that is not there is empty.
func (q target) legend(labels map[string]string) string {
	return label.ReplaceAllStringFunc(q.LegendFormat, func(found string) string { return labels[found[2:len(found)-2]] })
}

// series is what Prometheus returns for one set of labels: the last sample that is a number.
type series struct {
	labels map[string]string
	last   float64
	when   float64
}

// rateInterval is what Grafana takes for $__rate_interval with its defaults: four scrapes of 15 s.
const rateInterval = "1m"

// asks runs a query of the dashboard at a time, as Grafana does: the present value, or the values
// of the minutes before that. It returns the series by their labels; those that have no number at
// all are left out.
func (p *prometheus) asks(q target, namespace string, at time.Time) map[string]series {
	p.t.Helper()
	expr := strings.NewReplacer("$namespace", namespace, "$__rate_interval", rateInterval).Replace(q.Expr)
	if strings.Contains(expr, "$") {
		p.t.Fatalf("a variable of Grafana's is left in %s", expr)
	}
	seconds := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	path := "query?" + url.Values{"query": {expr}, "time": {seconds(at)}}.Encode()
	if !q.Instant {
		path = "query_range?" + url.Values{"query": {expr}, "start": {seconds(at.Add(-5 * time.Minute))}, "end": {seconds(at)}, "step": {"1"}}.Encode()
	}
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  []any
			Values [][]any
		}
	}
	if err := p.query(p.t.Context(), path, &data); err != nil {
		p.t.Fatalf("%s: %v", expr, err)
	}
	found := map[string]series{}
	for _, each := range data.Result {
		s := series{labels: each.Metric}
		numbers := 0
		if each.Value != nil {
			each.Values = append(each.Values, each.Value)
		}
		for _, sample := range each.Values {
			number, err := strconv.ParseFloat(sample[1].(string), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			if !math.IsNaN(number) {
				s.last, s.when = number, sample[0].(float64)
				numbers++
			}
		}
		if numbers > 0 {
			key, _ := json.Marshal(each.Metric) // sorted by name
			found[string(key)] = s
		}
	}
	return found
}

// asked waits until a query has this value in each of the namespaces.
func (p *prometheus) asked(expr string, want float64, namespaces ...string) {
	p.t.Helper()
	eventually(p.t, expr, time.Minute, func(context.Context) error {
		found := p.asks(target{Expr: expr, Instant: true}, "", time.Now())
		for _, namespace := range namespaces {
			if !slices.ContainsFunc(slices.Collect(maps.Values(found)), func(s series) bool {
				return s.labels["namespace"] == namespace && s.last == want
			}) {
				return fmt.Errorf("%s: there are %v", namespace, found)
			}
		}
		return nil
	})
}

// only returns the series of a namespace.
func only(found map[string]series, namespace string) map[string]series {
	kept := map[string]series{}
	for key, each := range found {
		if each.labels["namespace"] == namespace {
			kept[key] = each
		}
	}
	return kept
}

func same(a, b series) bool { return a.last == b.last && a.when == b.when }

// TestDashboard runs each query of the dashboard on a real Prometheus that scrapes two watches of
// one name in two namespaces. Each has data for both, the variable separates them, and no two
// series become one, neither in Prometheus nor under the name that Grafana gives them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var shipped dashboard
	if err := json.Unmarshal([]byte(read(t, "../../manifests/monitoring/dashboard.json")), &shipped); err != nil {
		t.Fatal(err)
	}
	p := twoNamespaces(t)
	at := time.Now()

	var namespaces []string
	all := ""
	for _, variable := range shipped.Templating.List {
		if variable.Name == "namespace" {
			namespaces, all = p.values(variable.Query), variable.AllValue
		}
	}
	if want := []string{"first", "second"}; !slices.Equal(namespaces, want) {
		t.Fatalf("the variable offers the namespaces %v, want %v", namespaces, want)
	}
	for _, panel := range shipped.Panels {
		for _, query := range panel.Targets {
			t.Run(panel.Title, func(t *testing.T) {
				p := p.in(t)
				everything := p.asks(query, all, at)
				several := p.asks(query, "("+strings.Join(namespaces, "|")+")", at)
				if !maps.EqualFunc(everything, several, same) {
					t.Errorf("all is %v, and both are %v", everything, several)
				}
				legends := map[string]bool{}
				for _, each := range everything {
					name := query.legend(each.labels)
					if legends[name] {
						t.Errorf("two series have the name %q", name)
					}
					legends[name] = true
				}
				rest := len(everything)
				for _, namespace := range namespaces {
					alone := p.asks(query, namespace, at)
					if len(alone) == 0 {
						t.Errorf("%s has no data", namespace)
					}
					if want := only(everything, namespace); !maps.EqualFunc(alone, want, same) {
						t.Errorf("%s alone is %v, and among all %v", namespace, alone, want)
					}
					rest -= len(alone)
				}
				if rest != 0 {
					t.Errorf("%d series are of no namespace: %v", rest, everything)
				}
				if panel.Title == "State" && len(everything) != len(namespaces) {
					t.Errorf("a Vault has one state, and shown are %v", everything)
				}
			})
		}
		// A stat shows the last value that there was, and a table one series at a time, unless they
		// are asked for the present: what is not known any more would be shown as if it were.
		for _, query := range panel.Targets {
			if panel.Type == "stat" && !query.Instant || panel.Type == "table" && (!query.Instant || query.Format != "table") {
				t.Errorf("%q does not ask for the present value", panel.Title)
			}
		}
	}
	// The failures are those of one namespace.
	failures := target{Expr: `sum by (namespace) (increase(vault_bootstrap_act_failures_total[5m]))`, Instant: true}
	for _, each := range p.asks(failures, "", at) {
		if failed := each.last > 0; failed != (each.labels["namespace"] == "first") {
			t.Errorf("%v: %v acts have failed", each.labels, each.last)
		}
	}
}

// twoNamespaces returns a Prometheus that has seen two watches do all that the dashboard shows: they
// have applied a changed seed, one of them not at the first attempt, and now have one that is wrong.
func twoNamespaces(t *testing.T) *prometheus {
	t.Helper()
	rules := impatientRules(t, nil)
	sites := map[string]*installation{}
	watches := map[string]*process{}
	var proxy *testbed.HTTPProxy
	for _, namespace := range []string{"first", "second"} {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		in := install(t, cluster)
		if namespace == "first" {
			proxy = testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
			in.flags = []string{in.flags[0], "--vault-addr=" + proxy.URL}
		}
		sites[namespace], watches[namespace] = in, in.watch()
	}
	for _, w := range watches {
		w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
		eventually(t, "an idle turn", 30*time.Second, func(context.Context) error {
			if _, there := w.metric("vault_bootstrap_last_success_timestamp_seconds"); !there {
				return errors.New("none yet")
			}
			return nil
		})
	}
	p := prometheusFor(t, rules, watches)
	p.scrapes(2)

	refused := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/policies/acl/later", Status: http.StatusServiceUnavailable})
	for _, in := range sites {
		in.sow(strings.Replace(in.text(), "\nsecrets:", anotherPolicy+"secrets:", 1))
	}
	p.asked(`vault_bootstrap_state{state="unsealed"}`, 1, "first")
	p.asked(`sum by (namespace) (vault_bootstrap_act_failures_total) > bool 0`, 1, "first")
	p.asked(`vault_bootstrap_state{state="hardened"}`, 1, "second")
	if refused() == 0 {
		t.Error("nothing was refused: no act has failed")
	}
	proxy.Clear()
	sites["first"].sow(sites["first"].text() + "# Look again.\n")
	p.asked(`vault_bootstrap_state{state="hardened"}`, 1, "first", "second")
	for _, in := range sites {
		in.sow("no-such-key: 1\n")
	}
	p.asked(`vault_bootstrap_terminal_error{name="seed invalid"}`, 1, "first", "second")
	return p
}

// values returns what a variable of the dashboard offers, as Grafana asks for it.
func (p *prometheus) values(query string) []string {
	p.t.Helper()
	metric, label, found := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(query, "label_values("), ")"), ", ")
	if !found {
		p.t.Fatalf("the query %q names no label", query)
	}
	var offered []string
	if err := p.query(p.t.Context(), "label/"+label+"/values?"+url.Values{"match[]": {metric}}.Encode(), &offered); err != nil {
		p.t.Fatal(err)
	}
	return offered
}

// in returns the same server for a part of its test.
func (p *prometheus) in(t *testing.T) *prometheus {
	part, server := *p, *p.process
	server.t = t
	part.process = &server
	return &part
}
