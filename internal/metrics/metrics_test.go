package metrics

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// filled returns metrics with every series.
func filled() *Metrics {
	m := New("test", Names{
		Bootstrap: "vb", States: []string{"unsealed", "seeded", "hardened"}, Goal: "seeded",
		Transitions: [][3]string{{"unsealed", "seed", "hardened"}, {"", "", "hardened"}},
		Acts:        []string{"seed"}, Kinds: []string{"transient"}, Results: []string{"acted", "idle"},
	})
	m.Lead(true)
	m.State("hardened")
	m.Plan(2)
	m.Recipients(time.Unix(1700000000, 0))
	m.RootStored(true)
	m.Replicas(map[string]int{"active": 1, "sealed": 2}, "no answer", "sealed")
	m.Transition("unsealed", "seed", "hardened", time.Second)
	m.ActFailed("seed", "transient")
	m.LoginFailed()
	m.Round("acted")
	m.Terminal("keys lost")
	m.Succeeded(time.UnixMilli(1500))
	return m
}

// scrape returns the series, without the label that all have.
func scrape(m *Metrics) string {
	text := strings.NewReplacer(`{bootstrap="vb"}`, "", `bootstrap="vb",`, "").Replace(served(m))
	return strings.NewReplacer(`{bootstrap=""}`, "", `bootstrap="",`, "").Replace(text)
}

func served(m *Metrics) string {
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return recorder.Body.String()
}

func TestSeries(t *testing.T) {
	m := filled()
	text := scrape(m)
	for _, want := range []string{
		`vault_bootstrap_leader 1`,
		`vault_bootstrap_state{state="hardened"} 1`,
		`vault_bootstrap_state{state="unsealed"} 0`,
		`vault_bootstrap_drift 1`,
		`vault_bootstrap_plan_changes 2`,
		`vault_bootstrap_recipient_proven_timestamp_seconds 1.7e+09`,
		`vault_bootstrap_root_token_stored 1`,
		`vault_bootstrap_sealed_replicas 2`,
		`vault_bootstrap_replicas{health="active"} 1`,
		`vault_bootstrap_transitions_total{event="seed",from="unsealed",to="hardened"} 1`,
		`vault_bootstrap_act_duration_seconds_sum{event="seed"} 1`,
		`vault_bootstrap_act_failures_total{event="seed",kind="transient"} 1`,
		`vault_bootstrap_login_errors_total 1`,
		`vault_bootstrap_api_errors_total{class="5xx",server="vault"} 0`,
		`vault_bootstrap_rounds_total{result="acted"} 1`,
		`vault_bootstrap_terminal_error{name="keys lost"} 1`,
		`vault_bootstrap_last_success_timestamp_seconds 1.5`,
		`vault_bootstrap_build_info{version="test"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not served", want)
		}
	}
	m.Lead(false)
	text = scrape(m)
	for _, gone := range []string{"terminal_error{", "\nvault_bootstrap_state{", "\nvault_bootstrap_drift ", "\nvault_bootstrap_plan_changes ", "\nvault_bootstrap_recipient_proven_timestamp_seconds ", "\nvault_bootstrap_root_token_stored "} {
		if strings.Contains(text, gone) {
			t.Errorf("one that does not lead still shows %q", gone)
		}
	}
	if !strings.Contains(text, `vault_bootstrap_replicas{health="sealed"} 2`) || !strings.Contains(text, "\nvault_bootstrap_sealed_replicas 2\n") {
		t.Error("what is seen of the replicas does not survive the loss of the lead: the alert would be over")
	}
	if strings.Contains(scrape(New("test", Names{})), "last_success") {
		t.Error("a success is shown before there was one")
	}
}

// TestUnknownIsAbsent has nothing look well, or bad, that is not seen.
func TestUnknownIsAbsent(t *testing.T) {
	fresh := scrape(New("test", Names{States: []string{"hardened"}}))
	for _, name := range []string{"state", "drift", "plan_changes", "sealed_replicas", "root_token_stored", "replicas", "terminal_error"} {
		if strings.Contains(fresh, "\nvault_bootstrap_"+name) {
			t.Errorf("%s is shown before anything was seen", name)
		}
	}
	m := filled()
	m.State("")
	m.Unplanned()
	m.RootUnknown()
	m.Replicas(map[string]int{"no answer": 3}, "no answer", "sealed")
	text := scrape(m)
	for _, name := range []string{"state{", "drift ", "plan_changes ", "sealed_replicas ", "root_token_stored ", `replicas{health="active"}`} {
		if strings.Contains(text, "\nvault_bootstrap_"+name) {
			t.Errorf("%s is shown of replicas that do not answer", name)
		}
	}
	if !strings.Contains(text, `vault_bootstrap_replicas{health="no answer"} 3`) {
		t.Error("that they do not answer is not shown")
	}
}

// TestPrimed has every counter there before its first increment, which Prometheus would not see.
func TestPrimed(t *testing.T) {
	primed := func(m *Metrics) (names []string) {
		for line := range strings.Lines(scrape(m)) {
			if name, _, found := strings.Cut(line, " "); found && strings.HasPrefix(name, "vault_bootstrap_") && strings.Contains(name, "_total") {
				names = append(names, name)
			}
		}
		return names
	}
	before, after := primed(New("test", filled().names)), primed(filled())
	if len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("there are %v at the start, and %v later", before, after)
	}
}

// TestGoal holds that states past the goal meet it, too.
func TestGoal(t *testing.T) {
	text := scrape(filled())
	for _, want := range []string{`{state="unsealed"} 0`, `{state="seeded"} 1`, `{state="hardened"} 1`} {
		if !strings.Contains(text, "\nvault_bootstrap_goal"+want+"\n") {
			t.Errorf("the goal is not %s", want)
		}
	}
}

// TestOneBootstrap holds that all series of ours say whose they are, and no others.
func TestOneBootstrap(t *testing.T) {
	for line := range strings.Lines(served(filled())) {
		if ours, labelled := strings.HasPrefix(line, "vault_bootstrap_"), strings.Contains(line, `bootstrap="vb"`); ours != labelled {
			t.Errorf("served is %s", line)
		}
	}
}

// TestNoGapBetweenValues scrapes while the replicas are counted again and again.
func TestNoGapBetweenValues(t *testing.T) {
	m, done := filled(), make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			m.Replicas(map[string]int{"active": 1 + i%2}, "no answer", "sealed")
		}
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		if !strings.Contains(scrape(m), "\nvault_bootstrap_replicas{") {
			t.Fatal("a scrape has seen no replicas")
		}
	}
}

// TestOpenMetrics asks as Prometheus does.
func TestOpenMetrics(t *testing.T) {
	recorder, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
	filled().Handler().ServeHTTP(recorder, request)
	if got := recorder.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") || !strings.HasSuffix(recorder.Body.String(), "# EOF\n") {
		t.Errorf("the answer is %s", got)
	}
}

var name = regexp.MustCompile(`vault_bootstrap_[a-z_]+`)

// families returns the names of all series, without what histograms add to them.
func families(text string) map[string]bool {
	found := map[string]bool{}
	for _, each := range name.FindAllString(text, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			each = strings.TrimSuffix(each, suffix)
		}
		found[each] = true
	}
	return found
}

// TestDocumentation holds docs/monitoring.md to what is served, and whatever is built
// on it to both.
func TestDocumentation(t *testing.T) {
	served := families(scrape(filled()))
	document, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	described := families(string(document))
	if !maps.Equal(served, described) {
		t.Errorf("served is %v, described is %v", slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(described)))
	}
	err = filepath.WalkDir("../../manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for each := range families(string(content)) {
			if !served[each] {
				t.Errorf("%s uses %s, which is not served", path, each)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type answering struct {
	status int
	err    error
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestTransportCountsErrors(t *testing.T) {
	for _, test := range []struct {
		path   string
		answer answering
		class  string
	}{
		{"/v1/sys/mounts", answering{status: 200}, ""},
		{"/v1/sys/mounts", answering{status: 403}, "4xx"},
		{"/v1/kv/x", answering{status: 404}, ""},
		{"/v1/sys/health", answering{status: 503}, ""},
		{"/v1/sys/mounts", answering{status: 503}, "5xx"},
		{"/v1/sys/health", answering{err: errors.New("refused")}, "network"},
	} {
		m := New("test", Names{})
		response, err := m.Wrapper(Vault)(test.answer).RoundTrip(httptest.NewRequest(http.MethodGet, test.path, nil))
		if err == nil {
			_ = response.Body.Close()
		}
		text := scrape(m)
		for _, class := range []string{"4xx", "5xx", "network"} {
			want := `vault_bootstrap_api_errors_total{class="` + class + `",server="vault"} 0`
			if class == test.class {
				want = strings.TrimSuffix(want, "0") + "1"
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s, %+v: %s is not served", test.path, test.answer, want)
			}
		}
	}
}

// TestWhatWeEndIsNoError has a request ended because another one was refused: its error is that
// refusal, and no failure of the network.
func TestWhatWeEndIsNoError(t *testing.T) {
	m := New("test", Names{})
	ctx, cancel := context.WithCancelCause(t.Context())
	refusal := errors.New("403")
	cancel(refusal)
	request := httptest.NewRequest(http.MethodGet, "/v1/sys/mounts", nil).WithContext(ctx)
	if response, err := m.Wrapper(Vault)(answering{err: refusal}).RoundTrip(request); err == nil {
		_ = response.Body.Close()
		t.Fatal("it succeeds")
	}
	if !strings.Contains(scrape(m), `vault_bootstrap_api_errors_total{class="network",server="vault"} 0`) {
		t.Error("it counts as a failure of the network")
	}
}
