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

// observed is a holder's claim and when we first saw it. A claim has expired when
// we have watched it unchanged for its whole duration: the time that is written in
// it comes from another machine's clock and decides nothing.
type observed struct {
	spec coordinationv1.LeaseSpec
	at   time.Time
}

// see notes spec if it is new, and reports whether it has expired.
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

// Acquire tries for the Lease, every RetryPeriod and a bit, with the semantics of
// client-go's leader election. Errors of the API server are waited out once it
// has answered.
func (k *Store) Acquire(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	if err := options.Check(); err != nil {
		return nil, err
	}
	var seen observed
	waiting := options.Wait()
	var failure error
	for ctx.Err() == nil {
		lease, sent, err := k.tryAcquire(ctx, options, &seen)
		switch {
		case lease != nil:
			return k.hold(ctx, lease, sent, options), nil
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
	return nil, waiting.Failed(k.in.Describe("Lease", k.name), store.WithLast(context.Cause(ctx), failure))
}

// tryAcquire takes the Lease if it is free or its holder's claim has expired, and
// returns it with the time at which the request was sent. It returns no Lease
// while somebody else holds it.
func (k *Store) tryAcquire(ctx context.Context, options store.LeaseOptions, seen *observed) (*coordinationv1.Lease, time.Time, error) {
	lease := k.recent.free(k.name)
	if lease == nil {
		var err error
		if lease, err = k.readLease(ctx); err != nil {
			return nil, time.Time{}, err
		}
	}
	expired := seen.see(lease.Spec, k.now(), options.Duration)
	// Our own name is in it when the answer to our claim was lost on the way.
	if holder := holderOf(lease.Spec); holder != "" && holder != options.Holder && !expired {
		return nil, time.Time{}, nil
	}
	sent := k.now()
	claim(lease, options, sent)
	stored := &coordinationv1.Lease{}
	if err := k.in.Leases().Update(ctx, lease, stored); err != nil {
		return nil, time.Time{}, k.explainLeaseWrite(err)
	}
	k.seen.note(leaseKind, stored)
	return stored, sent, nil
}

// explainLeaseWrite is explain for an update of the Lease. One that was removed
// meanwhile is a conflict like any other: read again.
func (k *Store) explainLeaseWrite(err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("updating %s: %w: it was removed", k.in.Describe("Lease", k.name), store.ErrConflict)
	}
	return k.explain(kube.Access{Verb: "update", Resource: "leases", Name: k.name}, err)
}

// readLease returns the Lease, and makes an empty one if there is none.
func (k *Store) readLease(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := k.in.Leases().Get(ctx, k.name, lease)
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{}
		if err := k.in.Leases().Apply(ctx, k.emptyLease(), lease, false); err != nil {
			return nil, k.explain(kube.Access{Verb: "patch", Resource: "leases", Name: k.name}, err)
		}
		return lease, nil
	}
	if err != nil {
		return nil, k.explain(kube.Access{Verb: "get", Resource: "leases", Name: k.name}, err)
	}
	k.seen.note(leaseKind, lease)
	return lease, nil
}

func (k *Store) emptyLease() *coordinationv1.Lease {
	return &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: k.meta(k.name),
	}
}

// LeaseMirror reads what the holder of the Lease shows.
func (k *Store) LeaseMirror(ctx context.Context) (store.Mirror, error) {
	lease := &coordinationv1.Lease{}
	err := k.in.Leases().Get(ctx, k.name, lease)
	if apierrors.IsNotFound(err) {
		return store.Mirror{}, nil
	}
	if err != nil {
		return store.Mirror{}, k.explain(kube.Access{Verb: "get", Resource: "leases", Name: k.name}, err)
	}
	k.seen.note(leaseKind, lease)
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

// jittered returns between one and RenewJitter times d, so that those who wait do
// not all ask at once.
func jittered(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*(store.RenewJitter-1)*float64(d)) //nolint:gosec // no secret depends on it
}

// Lead waits for a Lease of its own, NAME-watch.
func (k *Store) Lead(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	lead := *k
	lead.name += store.LeadSuffix
	return lead.Acquire(ctx, options)
}
