package kubestore

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Containers returns how many containers a Pod has, of all kinds; 0 if there is no such Pod.
func (k *Store) Containers(ctx context.Context, pod string) (int, error) {
	found := &corev1.Pod{}
	err := k.in.Pods().Get(ctx, pod, found)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, k.explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	return len(found.Spec.InitContainers) + len(found.Spec.Containers) + len(found.Spec.EphemeralContainers), nil
}
