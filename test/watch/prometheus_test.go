package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// prometheus is a server that scrapes watches and judges them by our rules.
type prometheus struct {
	*process
	api     string
	targets string // a file with them
}

// alert is what Prometheus says of one.
type alert struct {
	Labels      map[string]string
	Annotations map[string]string
	State       string
	ActiveAt    time.Time
}

func (a *alert) is(name, namespace string) bool {
	return a.Labels["alertname"] == name && a.Labels["namespace"] == namespace
}

// prometheusProgram returns the path of the server, or nothing where there is none.
func prometheusProgram() string {
	if program := os.Getenv("PROMETHEUS"); program != "" {
		return program
	}
	program, _ := exec.LookPath("prometheus")
	return program
}

// prometheusFor starts one that looks every other second. Each watch is the target of a
// namespace.
func prometheusFor(t *testing.T, rules string, watches map[string]*process) *prometheus {
	t.Helper()
	program := prometheusProgram()
	if program == "" {
		t.Skip("prometheus is not on PATH: Debian's package has it, and PROMETHEUS may name one")
	}
	dir := t.TempDir()
	config := map[string]any{
		"global":     map[string]string{"scrape_interval": "2s", "evaluation_interval": "1s"},
		"rule_files": []string{rules},
	}
	p := &prometheus{targets: filepath.Join(dir, "targets.json")}
	p.watches(watches)
	config["scrape_configs"] = []any{map[string]any{"job_name": "watch", "file_sd_configs": []any{map[string]any{"files": []string{p.targets}}}}}
	text, err := json.Marshal(config) // which is YAML, too
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p.process = launch(t, driver.Command{
		Binary: program,
		Args:   []string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0"},
	})
	p.Says("Server is ready to receive web requests", 1)
	_, rest, found := strings.Cut(p.Shown(), `msg="Listening on" address=`)
	if !found {
		t.Fatal("Prometheus does not say where it listens")
	}
	p.api = "http://" + strings.Fields(rest)[0] + "/api/v1/"
	return p
}

// watches replaces the targets. A name is that of a namespace, with what tells several watches in
// it apart after a slash.
func (p *prometheus) watches(watches map[string]*process) {
	var targets []any
	for name, watch := range watches {
		watch.t.Helper()
		namespace, _, _ := strings.Cut(name, "/")
		targets = append(targets, map[string]any{
			"targets": []string{strings.TrimPrefix(watch.URL(), "http://")},
			"labels":  map[string]string{"namespace": namespace},
		})
	}
	for _, watch := range watches {
		text, err := json.Marshal(targets)
		if err == nil {
			err = os.WriteFile(p.targets+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(p.targets+".new", p.targets)
		}
		if err != nil {
			watch.t.Fatal(err)
		}
		return
	}
}

// query asks the API for something.
func (p *prometheus) query(ctx context.Context, path string, data any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer := struct {
		Data  any
		Error string
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

// alerts returns those that are pending or fire.
func (p *prometheus) alerts(ctx context.Context) ([]alert, error) {
	var found struct{ Alerts []alert }
	err := p.query(ctx, "alerts", &found)
	return found.Alerts, err
}

// scrapes waits until each target has been read, and its rules have been judged since.
func (p *prometheus) scrapes(targets int) {
	p.t.Helper()
	eventually(p.t, "a look at every watch", 30*time.Second, func(ctx context.Context) error {
		var found struct {
			ActiveTargets []struct {
				Health     string
				LastError  string
				LastScrape time.Time
			}
		}
		if err := p.query(ctx, "targets", &found); err != nil {
			return err
		}
		var latest time.Time
		for _, each := range found.ActiveTargets {
			if each.Health != "up" {
				return fmt.Errorf("one is %s: %s", each.Health, each.LastError)
			}
			if each.LastScrape.After(latest) {
				latest = each.LastScrape
			}
		}
		if len(found.ActiveTargets) != targets {
			return fmt.Errorf("there are %d", len(found.ActiveTargets))
		}
		var rules struct {
			Groups []struct{ LastEvaluation time.Time }
		}
		if err := p.query(ctx, "rules", &rules); err != nil {
			return err
		}
		if len(rules.Groups) != 1 || rules.Groups[0].LastEvaluation.Before(latest) {
			return errors.New("the rules were not judged since")
		}
		return nil
	})
}

// becomes waits until an alert of a namespace is pending or firing, and returns it.
func (p *prometheus) becomes(name, namespace, state string, most time.Duration) alert {
	p.t.Helper()
	var found alert
	eventually(p.t, name+" "+state, most, func(ctx context.Context) error {
		all, err := p.alerts(ctx)
		if err != nil {
			return err
		}
		for _, each := range all {
			if each.is(name, namespace) && each.State == state {
				found = each
				return nil
			}
		}
		return fmt.Errorf("there are %v", all)
	})
	return found
}

// quiet waits until no alert of a namespace is there any more.
func (p *prometheus) quiet(namespace string) {
	p.t.Helper()
	eventually(p.t, "no alerts of "+namespace, 45*time.Second, func(ctx context.Context) error {
		all, err := p.alerts(ctx)
		if err != nil {
			return err
		}
		for _, each := range all {
			if each.Labels["namespace"] == namespace {
				return fmt.Errorf("there is %v", each)
			}
		}
		return nil
	})
}

// fired returns the alerts of a namespace that have fired in the last quarter of an hour, whether
// or not they do now.
func (p *prometheus) fired(namespace string) []string {
	p.t.Helper()
	var found struct {
		Result []struct{ Metric map[string]string }
	}
	question := fmt.Sprintf(`max_over_time(ALERTS{alertstate="firing",namespace=%q}[15m])`, namespace)
	if err := p.query(p.t.Context(), "query?query="+url.QueryEscape(question), &found); err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, each := range found.Result {
		names = append(names, each.Metric["alertname"])
	}
	return names
}
