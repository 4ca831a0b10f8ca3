package walk

import (
	"context"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
)

// begin checks the store and takes the Lease. It retries transient errors until the run's time is
// up: a network policy may need seconds to let a new pod through.
func (w *Walk) begin(ctx, leased context.Context, reporter report.Reporter) (session *fencing.Session, err error) {
	began, attempt := time.Now(), 0
	var last error
	err = retry.Do(ctx, newBackoff(), func(ctx context.Context) error {
		attempt++
		last = w.Job.Store.Preflight(ctx)
		if last == nil {
			last = w.Job.Options.Store.RefuseKeys(ctx, w.Job.Store)
		}
		if last == nil {
			session, last = fencing.Begin(leased, w.Job.Store, w.LeaseOptions(reporter))
		}
		// An RBAC rule that was applied together with us may not have taken effect everywhere.
		settling := fault.KindOf(last) == fault.Usage && time.Since(began) < job.SettleTime
		if last == nil || fault.KindOf(last) != fault.Transient && !settling {
			return last
		}
		reporter.Waiting(last, attempt)
		return retry.RetryableError(last)
	})
	if err != nil && last != nil {
		return nil, last
	}
	if err == nil {
		job.WarnOfConcerns(ctx, reporter.Log(), w.Job.Store)
		job.WarnOfEncryption(reporter.Log(), w.Job.Store)
		w.Job.WarnOfGrace(ctx, reporter.Log())
	}
	return session, err
}

// LeaseOptions returns the options of this job's Lease.
func (w *Walk) LeaseOptions(reporter report.Reporter) store.LeaseOptions {
	return store.LeaseOptions{
		Holder: w.Job.Holder, Duration: w.Job.Options.Lease.Duration, RenewDeadline: w.Job.Options.Lease.Renew, RetryPeriod: w.Job.Options.Lease.Retry,
		Waiting: func(holder string) {
			reporter.Log().Warn("another run holds the lease, waiting for it", "holder", holder)
		},
	}
}

func newBackoff() retry.Backoff {
	return retry.WithJitterPercent(waitJitter, retry.WithCappedDuration(longWait, retry.NewExponential(firstWait)))
}

// WaitThenHold returns a context for a Lease. While we wait for the Lease it ends with ctx; after
// hold it does not: keys that Vault has just returned are stored even after the run was asked to
// end, and nobody else may act meanwhile. release ends it.
func WaitThenHold(ctx context.Context) (leased context.Context, hold, release func()) {
	leased, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return leased, func() { stop() }, func() { stop(); cancel(nil) }
}
