package main

import "github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"

// withEvents adds Events to a report, where the records are in Kubernetes.
func (w *walk) withEvents(reporter report.Reporter) report.Reporter {
	sender := report.StartEvents(w.job.Store, w.job.Bootstrap.Name, w.job.Bootstrap.Pod, w.job.Holder, reporter.Log())
	if sender == nil {
		return reporter
	}
	w.job.Bootstrap.Tell = sender.Tell
	return report.WithEvents(reporter, sender)
}
