package main

import "github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"

// withEvents adds Events to a report, where the records are in Kubernetes.
func (w *walk) withEvents(reporter report.Reporter) report.Reporter {
	sender := report.StartEvents(w.job.store, w.job.bootstrap.Name, w.job.bootstrap.Pod, w.job.holder, reporter.Log())
	if sender == nil {
		return reporter
	}
	w.job.bootstrap.Tell = sender.Tell
	return report.WithEvents(reporter, sender)
}
