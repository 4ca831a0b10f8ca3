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
	states   []string
	events   []string

	leader, drift, plan, sealed prometheus.Gauge
	success                     *timestamp
	state, terminal, replicas   *prometheus.GaugeVec
	transitions, failures       *prometheus.CounterVec
	apiErrors, rounds           *prometheus.CounterVec
	logins                      prometheus.Counter
	acts                        *prometheus.HistogramVec
}

// New returns metrics with the names of all states and events.
func New(version string, states, events []string) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), states: states, events: events,
		leader:      gauge("leader", "1 if this watch leads, else 0."),
		drift:       gauge("drift", "1 if the last look found something of the seed to write."),
		plan:        gauge("plan_changes", "How many objects the last look would have written."),
		sealed:      gauge("sealed_replicas", "Replicas that say that they are sealed."),
		state:       gauges("state", "1 for the state in which Vault was found last.", "state"),
		terminal:    gauges("terminal_error", "1 while a person is needed.", "name"),
		replicas:    gauges("replicas", "Replicas by health.", "health"),
		transitions: counters("transitions_total", "Transitions made.", "from", "event", "to"),
		failures:    counters("act_failures_total", "Acts that failed.", "event", "kind"),
		apiErrors:   counters("api_errors_total", "Requests that failed.", "server", "class"),
		rounds:      counters("rounds_total", "Looks at Vault, and what came of them.", "result"),
		logins:      prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "login_errors_total", Help: "Logins to Vault that failed."}),
		success:     &timestamp{gauge: gauge("last_success_timestamp_seconds", "When Vault was last found at the goal with nothing to do.")},
		acts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "act_duration_seconds", Help: "How long the acts that succeeded took.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"event"}),
	}
	build := gauges("build_info", "1, with the version of the program.", "version")
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(
		m.leader, m.drift, m.plan, m.sealed, m.state, m.terminal, m.replicas, m.transitions, m.failures,
		m.apiErrors, m.rounds, m.logins, m.success, m.acts, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.prime()
	return m
}

// prime creates the series that alerts use, so that their first increase is seen as an increase.
func (m *Metrics) prime() {
	for _, state := range m.states {
		m.state.WithLabelValues(state).Set(0)
	}
	for _, event := range m.events {
		m.acts.WithLabelValues(event)
	}
	for _, server := range []string{Vault, Kubernetes} {
		for _, class := range []string{"4xx", "5xx", network} {
			m.apiErrors.WithLabelValues(server, class)
		}
	}
}

// Handler serves the series in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Lead records whether this watch leads. One that does not lead knows nothing about Vault.
func (m *Metrics) Lead(leads bool) {
	m.leader.Set(flag(leads))
	if leads {
		return
	}
	m.State("")
	m.Recovered()
	m.Plan(0)
	m.Replicas(nil, 0)
}

// State records the state in which Vault was found; "" if unknown.
func (m *Metrics) State(found string) {
	for _, state := range m.states {
		m.state.WithLabelValues(state).Set(flag(state == found))
	}
}

// Plan records how many objects would have to be written.
func (m *Metrics) Plan(changes int) {
	m.plan.Set(float64(changes))
	m.drift.Set(flag(changes > 0))
}

// Replicas records how many replicas there are by health, and how many are sealed.
func (m *Metrics) Replicas(health map[string]int, sealed int) {
	m.replicas.Reset()
	for name, count := range health {
		m.replicas.WithLabelValues(name).Set(float64(count))
	}
	m.sealed.Set(float64(sealed))
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
	m.terminal.Reset()
	m.terminal.WithLabelValues(name).Set(1)
}

// Recovered records that nobody is needed any more.
func (m *Metrics) Recovered() { m.terminal.Reset() }

// Succeeded records that Vault is at the goal and nothing is left to do.
func (m *Metrics) Succeeded(at time.Time) { m.success.set(at) }

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
