package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// RenewJitter is the factor by which a wait between tries may exceed RetryPeriod. client-go uses
// the same.
const RenewJitter = 1.2

// DefaultLeaseOptions returns the times that client-go's users use (15 s, 10 s,
// 2 s) for holder.
func DefaultLeaseOptions(holder string) LeaseOptions {
	return LeaseOptions{
		Holder:        holder,
		Duration:      15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
	}
}

// Check refuses durations that could let two holders overlap.
func (o LeaseOptions) Check() error {
	const remedy = "Choose duration > renew deadline > 1.2 × retry period > 0, and a duration of whole seconds."
	switch {
	case o.Holder == "":
		return fault.Misuse(errors.New("a lease needs the identity of its holder"), "")
	case o.RetryPeriod <= 0:
		return fault.Misuse(fmt.Errorf("the lease's retry period is %s", o.RetryPeriod), remedy)
	case float64(o.RenewDeadline) <= RenewJitter*float64(o.RetryPeriod):
		return fault.Misuse(fmt.Errorf("the lease's renew deadline of %s leaves no room for a retry period of %s",
			o.RenewDeadline, o.RetryPeriod), remedy)
	case o.Duration <= o.RenewDeadline:
		return fault.Misuse(fmt.Errorf("the lease's duration of %s is not longer than its renew deadline of %s",
			o.Duration, o.RenewDeadline), remedy)
	case o.Duration%time.Second != 0:
		// A Lease stores whole seconds: rounding would make holder and waiters disagree.
		return fault.Misuse(fmt.Errorf("the lease's duration of %s is not in whole seconds", o.Duration), remedy)
	}
	return nil
}

// Waiting is an Acquire that waits for others.
type Waiting struct {
	report func(holder string)
	last   string
}

// Wait begins to wait with these options.
func (o LeaseOptions) Wait() *Waiting { return &Waiting{report: o.Waiting} }

// For reports the holder that we wait for, unless it was reported last; "" is nobody.
func (w *Waiting) For(holder string) {
	if holder == "" || holder == w.last {
		return
	}
	w.last = holder
	if w.report != nil {
		w.report(holder)
	}
}

// Failed returns the error of an Acquire whose context ended before it got the lease.
func (w *Waiting) Failed(lease string, cause error) error {
	if w.last == "" {
		return fmt.Errorf("acquiring %s: %w", lease, cause)
	}
	return fault.Held(fmt.Errorf("waiting for %s, held by %q: %w", lease, w.last, cause),
		"Another run is at work. Check its log, or wait longer: a rerun after it finds the work done.")
}

// WithLast adds the last failure, if any, to a cause.
func WithLast(cause, failure error) error {
	if failure == nil {
		return cause
	}
	return fmt.Errorf("%w (last: %w)", cause, failure)
}

// Lost returns the cause with which a held Lease's context is cancelled.
func Lost(lease, why string) error {
	return fault.Held(fmt.Errorf("%w: %s: %s", ErrLeaseLost, lease, why),
		"This run stopped before its next request. Run again: it continues from there.")
}

// Pause waits for d. If ctx ends first, it returns the cause.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// LeadSuffix is appended to the name of the records for the Lease of the leading watch.
const LeadSuffix = "-watch"
