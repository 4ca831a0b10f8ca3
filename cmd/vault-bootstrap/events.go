package main

import "github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"

// withEvents adds Events to a report, where the records are in Kubernetes.
func (j *job) withEvents(reporter report.Reporter) report.Reporter {
	sender := report.StartEvents(j.store, j.bootstrap.Name, j.bootstrap.Pod, j.holder, reporter.Log())
	if sender == nil {
		return reporter
	}
	j.bootstrap.Tell = sender.Tell
	return report.WithEvents(reporter, sender)
}
