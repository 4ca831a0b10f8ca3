package walk

import "github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"

// WithEvents adds Events to a report, where the records are in Kubernetes.
func (w *Walk) WithEvents(reporter report.Reporter) report.Reporter {
	sender := report.StartEvents(w.Job.Store, w.Job.Bootstrap.Name, w.Job.Bootstrap.Pod, w.Job.Holder, reporter.Log())
	if sender == nil {
		return reporter
	}
	w.Job.Bootstrap.Tell = sender.Tell
	return report.WithEvents(reporter, sender)
}
