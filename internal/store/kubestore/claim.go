package kubestore

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Claim returns what the Lease says of its holder; the zero Claim if nobody has it.
func (k *Store) Claim(ctx context.Context) (store.Claim, error) {
	var lease coordinationv1.Lease
	err := k.in.Leases().Get(ctx, k.name, &lease)
	if apierrors.IsNotFound(err) {
		return store.Claim{}, nil
	}
	if err != nil {
		return store.Claim{}, k.explain(kube.Access{Verb: "get", Resource: "leases", Name: k.name}, err)
	}
	claim := store.Claim{Holder: holderOf(lease.Spec)}
	if lease.Spec.RenewTime != nil {
		claim.Renewed = lease.Spec.RenewTime.Time
	}
	if lease.Spec.LeaseDurationSeconds != nil {
		claim.Duration = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	return claim, nil
}
