package main

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// countingReporter counts what it reports.
type countingReporter struct {
	reporter
	metrics *metrics.Metrics
}

// Located notes the state.
func (r *countingReporter) Located(state fsm.State) {
	r.reporter.Located(state)
	r.metrics.State(string(state))
}

// Failed counts an act that failed.
func (r *countingReporter) Failed(event fsm.Event, err error) {
	r.reporter.Failed(event, err)
	r.metrics.ActFailed(string(event), fault.KindOf(err).String())
}

// Entered counts a transition.
func (r *countingReporter) Entered(t fsm.Transition) {
	r.reporter.Entered(t)
	r.metrics.Transition(string(t.From), string(t.Event), string(t.To), t.Took)
	r.metrics.State(string(t.To))
}

// countingDialer counts the logins that fail.
type countingDialer struct {
	login.Dialer
	metrics *metrics.Metrics
}

// Login logs in.
func (d countingDialer) Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*vault.Session, error) {
	session, err := d.Dialer.Login(ctx, address, path, credential)
	if err != nil {
		d.metrics.LoginFailed()
	}
	return session, err
}
