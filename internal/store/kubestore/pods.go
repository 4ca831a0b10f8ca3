package kubestore

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// TerminationMessages returns the termination messages of the containers of a Pod of ours,
// including those from before a container's last restart. If the Pod is gone, there are none.
func (k *Store) TerminationMessages(ctx context.Context, pod string) ([][]byte, error) {
	found := &corev1.Pod{}
	err := k.in.Pods().Get(ctx, pod, found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, k.explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	var messages [][]byte
	for _, status := range append(found.Status.InitContainerStatuses, found.Status.ContainerStatuses...) {
		for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
			if ended := state.Terminated; ended != nil && ended.Message != "" {
				messages = append(messages, []byte(ended.Message))
			}
		}
	}
	return messages, nil
}
