package main

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

// withoutWriting does what can be done while a record can be read and not written: it opens
// the sealed replicas, which needs no Lease, since giving a share twice does no harm. If a
// run would find nothing else to do, that the record cannot be written is a warning.
func (w *walk) withoutWriting(ctx context.Context, reporter report.Reporter, unwritable error) error {
	reporter.Log().Warn("going on without writing: sealed replicas are opened", "error", unwritable.Error(), "remedy", fault.RemedyOf(unwritable))
	w.job.Guard(always)
	w.job.Bootstrap.Log = reporter.Log()
	defer w.job.Bootstrap.Close(context.WithoutCancel(ctx))
	var state fsm.State
	var idle bool
	err := retry.Do(ctx, retry.WithMaxRetries(mostWaits, newBackoff()), func(ctx context.Context) error {
		look, verdict, err := w.driver(reporter).Judge(ctx)
		if look == nil {
			return retry.RetryableError(err)
		}
		if sealed := look.ToUnseal(); len(sealed) > 0 && look.Custodians == nil && !look.RecoveryKeys {
			if err := w.job.Bootstrap.OpenSealed(ctx, look); err != nil {
				return retry.RetryableError(err)
			}
			return retry.RetryableError(errNotOpen)
		}
		state, idle = verdict.State, verdict.Idle || err == nil && state == w.job.Goal
		if err != nil && fault.KindOf(err) == fault.Transient {
			return retry.RetryableError(err)
		}
		return nil
	})
	if err != nil {
		return fault.Stop(fault.NameOf(unwritable), fmt.Errorf("%w (and %w)", unwritable, err), fault.RemedyOf(unwritable))
	}
	if !idle {
		return unwritable
	}
	w.outcome = fsm.Outcome{State: state}
	return nil
}
