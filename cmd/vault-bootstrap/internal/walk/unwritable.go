package walk

import (
	"context"
	"errors"
	"fmt"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// errNotOpen means that a replica is not open yet.
var errNotOpen = errors.New("a replica is still sealed")

// WithoutWriting does what can be done while a record can be read but not written: it opens the
// sealed replicas, which needs no Lease, since giving a share twice is harmless. If a run would
// find nothing else to do, it only warns that the record cannot be written.
func (w *Walk) WithoutWriting(ctx context.Context, reporter report.Reporter, unwritable error) error {
	reporter.Log().Warn("continuing without writing: sealed replicas are opened", "error", unwritable.Error(), "remedy", fault.RemedyOf(unwritable))
	w.Job.Guard(Always)
	w.Job.Bootstrap.LogTo(reporter.Log())
	defer w.Job.Bootstrap.Close(context.WithoutCancel(ctx))
	var state fsm.State
	var idle bool
	err := retry.Do(ctx, retry.WithMaxRetries(MaxWaits, newBackoff()), func(ctx context.Context) error {
		look, verdict, err := w.Driver(reporter).Judge(ctx)
		if look == nil {
			return retry.RetryableError(err)
		}
		if look.Observation.CanUnseal() {
			if err := w.Job.Bootstrap.OpenSealed(ctx, look); err != nil {
				return retry.RetryableError(err)
			}
			return retry.RetryableError(errNotOpen)
		}
		state, idle = verdict.State, verdict.Idle || err == nil && state == w.Job.Goal
		if err != nil && fault.KindOf(err) == fault.Transient {
			return retry.RetryableError(err)
		}
		return nil
	})
	w.Changes = report.Changes(w.Job.Bootstrap.Done())
	if err != nil {
		return fault.Stop(fault.NameOf(unwritable), fmt.Errorf("%w (and %w)", unwritable, err), fault.RemedyOf(unwritable))
	}
	if !idle {
		return unwritable
	}
	w.Outcome = fsm.Outcome{State: state}
	return nil
}
