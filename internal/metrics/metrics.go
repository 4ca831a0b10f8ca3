// Package metrics holds what 'watch' exports to Prometheus; docs/monitoring.md describes each
// series. Labels have values from closed sets only, never an address, a path or anything that a
// user named. The package must not know the states or Vault: it counts names.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "vault_bootstrap"

// Metrics are the series of one process.
type Metrics struct {
	registry *prometheus.Registry
	names    Names

	leader                          prometheus.Gauge
	found                           findings
	state, terminal, replicas, goal *labelled
	transitions, failures           *prometheus.CounterVec
	apiErrors, rounds               *prometheus.CounterVec
	logins                          prometheus.Counter
	acts                            *prometheus.HistogramVec
}

// findings are series about what the last look found. One that it could not find out is not exported.
type findings struct {
	drift, plan, sealed, root, success, proven *optional
}

// Names are the closed sets that labels have their values from. All counters are there from the
// start, with every combination that is possible: Prometheus does not see the first increment of
// one that appears with it.
type Names struct {
	// Bootstrap is the name of the records, a label of all series.
	Bootstrap string
	// States are all states, in order, and Goal is the one to reach.
	States []string
	Goal   string
	// Transitions are those of the machine, as from, event and to. Acts are the events that have an
	// act, Kinds the kinds of errors, Results what comes of a look.
	Transitions          [][3]string
	Acts, Kinds, Results []string
}

// meeting returns 1 for the states from the goal on, and 0 for those before it.
func (n Names) meeting() map[string]float64 {
	values, met := map[string]float64{}, false
	for _, state := range n.States {
		met = met || state == n.Goal
		values[state] = flag(met)
	}
	return values
}

// New returns metrics of a version of the program.
func New(version string, names Names) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), names: names,
		leader: gauge("leader", "1 if this watch leads, else 0."),
		found: findings{
			drift:   newOptional("drift", "1 if the last look found something of the seed to write."),
			plan:    newOptional("plan_changes", "How many objects the last look would have written."),
			sealed:  newOptional("sealed_replicas", "Replicas that say that they are sealed."),
			root:    newOptional("root_token_stored", "1 if the keys record holds the root token of the first run."),
			success: newOptional("last_success_timestamp_seconds", "When Vault was last found at the goal with nothing to do."),
			proven:  newOptional("recipient_proven_timestamp_seconds", "When the recipient of the keys that was not tried for longest was last proven."),
		},
		state:       newLabelled("state", "1 for the state in which Vault was found last.", "state"),
		goal:        newLabelled("goal", "1 for the states that meet the goal: it, and those after it.", "state"),
		terminal:    newLabelled("terminal_error", "1 while a person is needed.", "name"),
		replicas:    newLabelled("replicas", "Replicas by health.", "health"),
		transitions: counters("transitions_total", "Transitions made.", "from", "event", "to"),
		failures:    counters("act_failures_total", "Acts that failed.", "event", "kind"),
		apiErrors:   counters("api_errors_total", "Requests that failed.", "server", "class"),
		rounds:      counters("rounds_total", "Looks at Vault, and what came of them.", "result"),
		logins:      prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "login_errors_total", Help: "Logins to Vault that failed."}),
		acts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "act_duration_seconds", Help: "How long the acts that succeeded took.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"event"}),
	}
	build := newLabelled("build_info", "1, with the version of the program.", "version")
	build.replace(map[string]float64{version: 1})
	m.goal.replace(names.meeting())
	prometheus.WrapRegistererWith(prometheus.Labels{"bootstrap": names.Bootstrap}, m.registry).MustRegister(
		m.leader, m.found.drift, m.found.plan, m.found.sealed, m.state, m.goal, m.terminal, m.replicas, m.transitions, m.failures,
		m.apiErrors, m.rounds, m.logins, m.found.root, m.found.success, m.found.proven, m.acts, build,
	)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.prime()
	return m
}

// prime makes all counters, so that their first increment is seen as one.
func (m *Metrics) prime() {
	for _, t := range m.names.Transitions {
		m.transitions.WithLabelValues(t[0], t[1], t[2])
	}
	for _, act := range m.names.Acts {
		m.acts.WithLabelValues(act)
		for _, kind := range m.names.Kinds {
			m.failures.WithLabelValues(act, kind)
		}
	}
	for _, result := range m.names.Results {
		m.rounds.WithLabelValues(result)
	}
	for _, server := range []string{Vault, Kubernetes} {
		for _, class := range []string{"4xx", "5xx", network} {
			m.apiErrors.WithLabelValues(server, class)
		}
	}
}

// Handler serves the series in Prometheus' text format, or in OpenMetrics' to those who ask for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Lead records whether this watch leads. One that does not knows only what the replicas say of
// themselves, and goes on to say so: what nobody sees must not look as if it were well.
func (m *Metrics) Lead(leads bool) {
	m.leader.Set(flag(leads))
	if leads {
		return
	}
	m.State("")
	m.Recovered()
	m.Unplanned()
	m.Recipients(time.Time{})
	m.RootUnknown()
}

// State records the state in which Vault was found; "" for unknown, which no series says.
func (m *Metrics) State(found string) {
	if found == "" {
		m.state.replace(nil)
		return
	}
	m.state.replace(m.oneOf(found))
}

// oneOf returns 1 for a state and 0 for the others.
func (m *Metrics) oneOf(found string) map[string]float64 {
	values := map[string]float64{}
	for _, state := range m.names.States {
		values[state] = flag(state == found)
	}
	return values
}

// Recipients records when the recipient of the keys that was not tried for longest was last proven;
// zero if the keys are not encrypted.
func (m *Metrics) Recipients(proven time.Time) {
	if proven.IsZero() {
		m.found.proven.forget()
		return
	}
	m.found.proven.set(float64(proven.Unix()))
}

// Plan records how many objects would have to be written.
func (m *Metrics) Plan(changes int) {
	m.found.plan.set(float64(changes))
	m.found.drift.set(flag(changes > 0))
}

// Unplanned records that it is not known how many objects would have to be written.
func (m *Metrics) Unplanned() {
	m.found.plan.forget()
	m.found.drift.forget()
}

// RootStored records whether a root token is stored.
func (m *Metrics) RootStored(stored bool) { m.found.root.set(flag(stored)) }

// RootUnknown records that it is not known whether a root token is stored.
func (m *Metrics) RootUnknown() { m.found.root.forget() }

// Replicas records how many replicas there are by health, of which silent ones do not answer and
// others say that they are sealed. If nobody answers, it is not known how many are sealed.
func (m *Metrics) Replicas(health map[string]int, silent, sealed string) {
	values, total := map[string]float64{}, 0
	for name, count := range health {
		values[name] = float64(count)
		total += count
	}
	m.replicas.replace(values)
	if total == health[silent] {
		m.found.sealed.forget()
		return
	}
	m.found.sealed.set(float64(health[sealed]))
}

// Transition counts a transition, and records how long its act took.
func (m *Metrics) Transition(from, event, to string, took time.Duration) {
	m.transitions.WithLabelValues(from, event, to).Inc()
	if event != "" {
		m.acts.WithLabelValues(event).Observe(took.Seconds())
	}
}

// ActFailed counts an act that failed with an error of a kind.
func (m *Metrics) ActFailed(event, kind string) { m.failures.WithLabelValues(event, kind).Inc() }

// LoginFailed counts a login that failed.
func (m *Metrics) LoginFailed() { m.logins.Inc() }

// Round counts a look by its result.
func (m *Metrics) Round(result string) { m.rounds.WithLabelValues(result).Inc() }

// Terminal records that a person is needed, and why.
func (m *Metrics) Terminal(name string) {
	m.terminal.replace(map[string]float64{name: 1})
}

// Recovered records that nobody is needed any more.
func (m *Metrics) Recovered() { m.terminal.replace(nil) }

// Succeeded records that Vault is at the goal and nothing is left to do.
func (m *Metrics) Succeeded(at time.Time) { m.found.success.set(float64(at.UnixMilli()) / 1000) }

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
