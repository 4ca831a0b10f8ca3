package kubestore

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// TerminationMessages returns what the containers of a Pod of ours have left as
// their termination messages, also of earlier lives of a container that was
// restarted. A Pod that is gone has left nothing.
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
