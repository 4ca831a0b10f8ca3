package report

import (
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
)

// countingReporter counts what it reports.
type countingReporter struct {
	Reporter
	metrics *metrics.Metrics
}

// WithMetrics adds metrics to a report.
func WithMetrics(report Reporter, metrics *metrics.Metrics) Reporter {
	return &countingReporter{report, metrics}
}

// Located notes the state.
func (r *countingReporter) Located(state fsm.State) {
	r.Reporter.Located(state)
	r.metrics.State(string(state))
}

// Failed counts an act that failed.
func (r *countingReporter) Failed(event fsm.Event, err error) {
	r.Reporter.Failed(event, err)
	r.metrics.ActFailed(string(event), fault.KindOf(err).String())
}

// Entered counts a transition.
func (r *countingReporter) Entered(t fsm.Transition) {
	r.Reporter.Entered(t)
	r.metrics.Transition(string(t.From), string(t.Event), string(t.To), t.Took)
	r.metrics.State(string(t.To))
}
