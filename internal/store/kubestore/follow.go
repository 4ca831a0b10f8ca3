package kubestore

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// FollowCheckpoint passes the revision of the checkpoint to changed, at first and after each
// change, until ctx ends or the server ends the watch, which is not an error.
func (k *Store) FollowCheckpoint(ctx context.Context, changed func(store.Revision)) error {
	err := k.in.Secrets().Follow(ctx, k.stateName(), func(o kube.Object) {
		if o == nil {
			changed("")
			return
		}
		changed(store.Revision(o.GetResourceVersion()))
	})
	return k.followed(ctx, kube.Access{Verb: "watch", Resource: "secrets", Name: k.stateName()}, err)
}

// FollowMirror does the same for the mirror on the Lease.
func (k *Store) FollowMirror(ctx context.Context, seen func(store.Mirror)) error {
	err := k.in.Leases().Follow(ctx, k.name, func(o kube.Object) {
		if o == nil {
			seen(store.Mirror{})
			return
		}
		seen(mirrorOf(o.GetAnnotations()))
	})
	return k.followed(ctx, kube.Access{Verb: "watch", Resource: "leases", Name: k.name}, err)
}

func (k *Store) followed(ctx context.Context, a kube.Access, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return k.explain(a, err)
}
