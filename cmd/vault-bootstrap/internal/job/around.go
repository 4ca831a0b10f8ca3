package job

import (
	"context"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// WarnOfConcerns warns of what endangers the records although they can be read. If that cannot be
// found out, this is a warning, too: a verb that only reads must not fail because of it.
func WarnOfConcerns(ctx context.Context, log *slog.Logger, records store.Store) {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		log.Warn("checking what endangers the records failed", "error", err.Error())
	}
	for _, concern := range concerns {
		log.Warn(concern.Name+": "+concern.Message, "remedy", concern.Remedy)
	}
}

// RefuseInDanger fails if new keys would be stored where they may be deleted.
func RefuseInDanger(ctx context.Context, records store.Store) error {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		return err
	}
	return store.Refusal(concerns)
}

// dangers returns the concerns as a fact. Owners of the keys record have their own control.
func dangers(ctx context.Context, records store.Store) harden.Fact[[]string] {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		return harden.NotKnown[[]string](err.Error())
	}
	found := []string{}
	for _, concern := range concerns {
		if concern.Name == store.RecordOwned && concern.Record == records.Location().Keys {
			continue
		}
		found = append(found, concern.Message)
	}
	return harden.Known(found)
}

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
		found := cluster.Read(ctx)
		found.Dangers = dangers(ctx, records)
		return found
	}
}
