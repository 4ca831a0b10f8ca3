package store

import (
	"bytes"
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Preflight asks the API server whether we have every permission that the store
// needs, reads both records, and rehearses making each object, the records at the
// size that they can have, so that a quota or a policy that stands in the way is
// known before Vault is touched. It changes nothing.
func (k *Kube) Preflight(ctx context.Context) error {
	missing, err := k.in.Missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return k.in.Denied(missing)
	}
	if _, _, err := k.Keys(ctx); err != nil {
		return err
	}
	if _, _, err := k.Checkpoint(ctx); err != nil {
		return err
	}
	return k.rehearse(ctx)
}

// rehearse applies each object as a dry run: the server does all but storing it.
func (k *Kube) rehearse(ctx context.Context) error {
	for _, record := range []struct{ name, key string }{{k.keysName(), keysData}, {k.stateName(), stateData}} {
		secret := k.emptySecret(record.name)
		secret.Data = map[string][]byte{record.key: bytes.Repeat([]byte{'x'}, rehearsalSize)}
		if err := k.in.Secrets().Apply(ctx, secret, &corev1.Secret{}, true); err != nil {
			return k.refused(kube.Access{Verb: "patch", Resource: "secrets", Name: record.name}, err)
		}
	}
	if err := k.in.Leases().Apply(ctx, k.emptyLease(), &coordinationv1.Lease{}, true); err != nil {
		return k.refused(kube.Access{Verb: "patch", Resource: "leases", Name: k.name}, err)
	}
	return nil
}

// refused turns an explained refusal of a rehearsal into a configuration error:
// unlike one in the middle of the work, it is the rule and will not pass.
func (k *Kube) refused(a kube.Access, err error) error {
	explained := k.explain(a, err)
	if !kube.Refused(err) {
		return explained
	}
	return fault.Misuse(fmt.Errorf("rehearsing the write of the records: %w", explained), fault.RemedyOf(explained))
}
