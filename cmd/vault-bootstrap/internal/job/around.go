package job

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// DefaultPodLabels are the labels that Vault's own chart gives its pods.
const DefaultPodLabels = "app.kubernetes.io/name=vault"

// lookAround returns how to read the Kubernetes cluster of the records; nil if they are in files.
func lookAround(records store.Store, name, podLabels string) func(context.Context) *harden.Kubernetes {
	in, ok := records.(kube.Located)
	if !ok {
		return nil
	}
	cluster := kube.Cluster{In: in.Namespace(), Secret: name + "-keys", PodLabels: podLabels}
	return func(ctx context.Context) *harden.Kubernetes {
		found := cluster.Look(ctx)
		found.Dangers = dangers(ctx, records)
		return found
	}
}
