package kubestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// leases takes the Lease, and reads it.
type leases struct {
	site
	// recent has a Lease that we released.
	recent *recentObjects
	now    func() time.Time
}

// observed is a holder's claim and when we first saw it. A claim has expired when we have seen it
// unchanged for its whole duration: the time in it comes from another machine's clock and is
// ignored.
type observed struct {
	spec coordinationv1.LeaseSpec
	at   time.Time
}

// see records spec if it is new, and reports whether it has expired.
func (o *observed) see(spec coordinationv1.LeaseSpec, now time.Time, duration time.Duration) bool {
	if o.at.IsZero() || !reflect.DeepEqual(o.spec, spec) {
		o.spec, o.at = spec, now
	}
	// The holder's own duration counts: it may have been started with another.
	if spec.LeaseDurationSeconds != nil {
		duration = time.Duration(*spec.LeaseDurationSeconds) * time.Second
	}
	return now.Sub(o.at) >= duration
}

// acquire tries for the Lease, every RetryPeriod and a bit, with the semantics of client-go's
// leader election. Once the API server has answered, its errors are retried.
func (l leases) acquire(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	if err := options.Check(); err != nil {
		return nil, err
	}
	var seen observed
	waiting := options.Wait()
	var failure error
	for ctx.Err() == nil {
		lease, sent, err := l.tryAcquire(ctx, options, &seen)
		switch {
		case lease != nil:
			return l.hold(ctx, lease, sent, options), nil
		case err == nil:
			waiting.For(holderOf(seen.spec))
			failure = nil
		case ctx.Err() == nil && seen.at.IsZero() && !errors.Is(err, store.ErrConflict):
			return nil, err
		case ctx.Err() == nil:
			failure = err
		}
		if store.Pause(ctx, jittered(options.RetryPeriod)) != nil {
			break
		}
	}
	return nil, waiting.Failed(l.in.Describe("Lease", l.name), store.WithLast(context.Cause(ctx), failure))
}

// tryAcquire takes the Lease if it is free or its holder's claim has expired, and
// returns it with the time at which the request was sent. It returns no Lease
// while somebody else holds it.
func (l leases) tryAcquire(ctx context.Context, options store.LeaseOptions, seen *observed) (*coordinationv1.Lease, time.Time, error) {
	lease := l.recent.free(l.name)
	if lease == nil {
		var err error
		if lease, err = l.readLease(ctx); err != nil {
			return nil, time.Time{}, err
		}
	}
	expired := seen.see(lease.Spec, l.now(), options.Duration)
	// It names us if the answer to our claim was lost on the way.
	if holder := holderOf(lease.Spec); holder != "" && holder != options.Holder && !expired {
		return nil, time.Time{}, nil
	}
	sent := l.now()
	claim(lease, options, sent)
	stored := &coordinationv1.Lease{}
	if err := l.in.Leases().Update(ctx, lease, stored); err != nil {
		return nil, time.Time{}, l.explainLeaseWrite(err)
	}
	l.seen.note(leaseKind, stored)
	return stored, sent, nil
}

// explainLeaseWrite is explain for an update of the Lease. If it was removed meanwhile, that is a
// conflict like any other.
func (l leases) explainLeaseWrite(err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("updating %s: %w: it was removed", l.in.Describe("Lease", l.name), store.ErrConflict)
	}
	return l.explain(kube.Access{Verb: "update", Resource: "leases", Name: l.name}, err)
}

// readLease returns the Lease, and creates an empty one if there is none.
func (l leases) readLease(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := l.in.Leases().Get(ctx, l.name, lease)
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{}
		if err := l.in.Leases().Apply(ctx, l.emptyLease(), lease, false); err != nil {
			return nil, l.explain(kube.Access{Verb: "patch", Resource: "leases", Name: l.name}, err)
		}
		return lease, nil
	}
	if err != nil {
		return nil, l.explain(kube.Access{Verb: "get", Resource: "leases", Name: l.name}, err)
	}
	l.seen.note(leaseKind, lease)
	return lease, nil
}

func (s site) emptyLease() *coordinationv1.Lease {
	return &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: s.meta(s.name),
	}
}

// mirror reads the mirror on the Lease.
func (l leases) mirror(ctx context.Context) (store.Mirror, error) {
	lease := &coordinationv1.Lease{}
	err := l.in.Leases().Get(ctx, l.name, lease)
	if apierrors.IsNotFound(err) {
		return store.Mirror{}, nil
	}
	if err != nil {
		return store.Mirror{}, l.explain(kube.Access{Verb: "get", Resource: "leases", Name: l.name}, err)
	}
	l.seen.note(leaseKind, lease)
	return mirrorOf(lease.Annotations), nil
}

// claim writes our claim into lease.
func claim(lease *coordinationv1.Lease, options store.LeaseOptions, now time.Time) {
	stamp := metav1.NewMicroTime(now)
	seconds := int32(options.Duration / time.Second) //nolint:gosec // overflows after 68 years
	var transitions int32
	if lease.Spec.LeaseTransitions != nil {
		transitions = *lease.Spec.LeaseTransitions
	}
	if holderOf(lease.Spec) != options.Holder {
		transitions++
	}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity:       &options.Holder,
		LeaseDurationSeconds: &seconds,
		AcquireTime:          &stamp,
		RenewTime:            &stamp,
		LeaseTransitions:     &transitions,
	}
}

// holderOf returns the holder's identity, or "" for a Lease that is free.
func holderOf(spec coordinationv1.LeaseSpec) string {
	if spec.HolderIdentity == nil {
		return ""
	}
	return *spec.HolderIdentity
}

// jittered returns between one and RenewJitter times d, so that waiters do not all ask at once.
func jittered(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*(store.RenewJitter-1)*float64(d)) //nolint:gosec // no secret depends on it
}
