package kubestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errOtherHolder means that the Lease names another holder.
var errOtherHolder = errors.New("another holder has it")

// kubeLease is a Lease that we hold, renewed in the background until Release.
//
// It is stricter than client-go's elector in three ways: the renew deadline runs from when the last
// successful renewal was sent, not from the first failed one; a renewal after the deadline (the
// process was suspended) is not even tried; and the Lease is lost at once when it names another
// holder.
type kubeLease struct {
	leases  leases
	options store.LeaseOptions
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stop    context.CancelFunc
	done    chan struct{}
	once    sync.Once

	// writing is held for the length of a write, so that renewals and Show do not
	// conflict with each other. It guards stored, the Lease as it was last written
	// or read.
	writing sync.Mutex
	stored  *coordinationv1.Lease

	mu sync.Mutex
	// renewed is when the last renewal that succeeded was sent.
	renewed time.Time
	// gone is why the Lease is no longer held; nil while it is.
	gone error
}

func (l leases) hold(ctx context.Context, lease *coordinationv1.Lease, sent time.Time, options store.LeaseOptions) store.Held {
	held := &kubeLease{leases: l, options: options, stored: lease, renewed: sent, done: make(chan struct{})}
	held.ctx, held.cancel = context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	held.stop = stop
	go held.keep(renewing)
	return held
}

// Context is cancelled when the Lease is lost.
func (l *kubeLease) Context() context.Context { return l.ctx }

// Alive compares the clock with the renew deadline.
func (l *kubeLease) Alive() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil {
		return l.gone
	}
	if age := l.leases.now().Sub(l.renewed); age >= l.options.RenewDeadline {
		return l.lost(fmt.Sprintf("not renewed for %s", age.Round(time.Millisecond)))
	}
	return nil
}

func (l *kubeLease) lost(why string) error {
	return store.Lost(l.leases.in.Describe("Lease", l.leases.name), why)
}

// keep renews the Lease until ctx ends or the Lease is lost.
func (l *kubeLease) keep(ctx context.Context) {
	defer close(l.done)
	var failure error
	for store.Pause(ctx, l.nextRenewal()) == nil {
		err := l.Alive()
		if err == nil {
			failure = l.renew(ctx)
			err = l.Alive()
		}
		if err == nil {
			continue
		}
		if failure != nil && !errors.Is(failure, errOtherHolder) {
			err = fmt.Errorf("%w; the last try: %w", err, failure)
		}
		l.end(err)
		l.cancel(err)
		return
	}
}

// nextRenewal returns the wait before the next try: never longer than the Lease lives.
func (l *kubeLease) nextRenewal() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.options.RetryPeriod, l.renewed.Add(l.options.RenewDeadline).Sub(l.leases.now()))
}

// renew writes the Lease with a new renew time.
func (l *kubeLease) renew(ctx context.Context) error {
	return l.write(ctx, func(lease *coordinationv1.Lease, sent time.Time) {
		stamp := metav1.NewMicroTime(sent)
		lease.Spec.RenewTime = &stamp
	})
}

// Show renews the Lease with the mirror in its annotations and its label.
func (l *kubeLease) Show(ctx context.Context, mirror store.Mirror) error {
	if err := l.Alive(); err != nil {
		return err
	}
	return l.write(ctx, func(lease *coordinationv1.Lease, sent time.Time) {
		stamp := metav1.NewMicroTime(sent)
		lease.Spec.RenewTime = &stamp
		mark(mirror, &lease.ObjectMeta)
	})
}

// Release clears the holder. It leaves a Lease alone that has another holder by now.
func (l *kubeLease) Release(ctx context.Context) error {
	var err error
	l.once.Do(func() {
		l.stop()
		<-l.done
		if l.Alive() == nil {
			err = l.write(ctx, func(lease *coordinationv1.Lease, sent time.Time) {
				stamp, second, nobody := metav1.NewMicroTime(sent), int32(1), ""
				lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds, lease.Spec.HolderIdentity = &stamp, &second, &nobody
			})
		}
		if err == nil && holderOf(l.stored.Spec) == "" {
			l.leases.recent.released(l.stored)
		}
		l.end(l.lost("it was released"))
		l.cancel(nil)
	})
	if errors.Is(err, errOtherHolder) {
		return nil
	}
	return err
}

// end records why the Lease is no longer held; the first reason counts.
func (l *kubeLease) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone == nil {
		l.gone = why
	}
}

// write changes the stored Lease. After a conflict (somebody annotated or removed the object) it
// reads the Lease and tries once more, if it is still ours. It may take half of the renew deadline,
// so that there is time for another try if one hangs.
func (l *kubeLease) write(ctx context.Context, change func(lease *coordinationv1.Lease, sent time.Time)) error {
	ctx, cancel := context.WithTimeout(ctx, l.options.RenewDeadline/2)
	defer cancel()
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.tryWrite(ctx, change)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	lease, err := l.leases.readLease(ctx)
	if err != nil {
		return err
	}
	switch holder := holderOf(lease.Spec); holder {
	case l.options.Holder:
	case "":
		// Removed, or released by hand: it is free, so claim it again.
		claim(lease, l.options, l.leases.now())
	default:
		l.end(l.lost(fmt.Sprintf("%q holds it now", holder)))
		return fmt.Errorf("writing %s: %w", l.leases.in.Describe("Lease", l.leases.name), errOtherHolder)
	}
	l.stored = lease
	return l.tryWrite(ctx, change)
}

func (l *kubeLease) tryWrite(ctx context.Context, change func(lease *coordinationv1.Lease, sent time.Time)) error {
	lease, stored := l.stored.DeepCopy(), &coordinationv1.Lease{}
	sent := l.leases.now()
	change(lease, sent)
	if err := l.leases.in.Leases().Update(ctx, lease, stored); err != nil {
		return l.leases.explainLeaseWrite(err)
	}
	l.stored = stored
	l.leases.seen.note(leaseKind, stored)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = sent
	return nil
}
