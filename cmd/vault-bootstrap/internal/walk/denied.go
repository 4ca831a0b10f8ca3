package walk

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// permissions ends a walk that waits for a permission in Kubernetes which does not come. What is
// being stored meanwhile is not cut off: it waits by itself, and does not report here.
type permissions struct {
	report.Reporter
	denial job.Denial
	giveUp context.CancelCauseFunc
}

// Waiting reports the wait, and ends the walk once it is of no use.
func (p *permissions) Waiting(err error, attempt int) {
	if refused := p.denial.Judge(err, time.Now()); fault.KindOf(refused) == fault.Usage {
		p.giveUp(refused)
	}
	p.Reporter.Waiting(err, attempt)
}
