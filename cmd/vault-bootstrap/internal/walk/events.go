package walk

import "github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"

// WithEvents adds Events to a report, where the records are in Kubernetes.
func (w *Walk) WithEvents(reporter report.Reporter) report.Reporter {
	sender := report.StartEvents(w.Job.Store, w.Job.Bootstrap.Setting().Name, w.Job.Bootstrap.Setting().Pod, w.Job.Holder, reporter.Log())
	if sender == nil {
		return reporter
	}
	w.Job.Bootstrap.NotifyBy(sender.Send)
	return report.WithEvents(reporter, sender)
}
