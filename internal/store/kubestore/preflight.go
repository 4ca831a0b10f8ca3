package kubestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Preflight asks the API server whether we have every permission that the store needs, reads both
// records, and rehearses creating each object, the records at the size that they can have, so that
// an obstructing quota or policy is found before Vault is touched. It prepares a data key if the
// keys are to be encrypted and are not yet. It records what endangers the records, and fails because
// of that if no keys are stored yet. It changes nothing.
func (k *Store) Preflight(ctx context.Context) error {
	missing, err := k.in.Missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return k.in.Denied(missing)
	}
	keys, _, err := k.Outline(ctx)
	if err != nil {
		return err
	}
	if _, _, err := k.Checkpoint(ctx); err != nil {
		return err
	}
	immutable, err := k.rehearse(ctx)
	if err != nil {
		return err
	}
	if err := k.askNamespace(ctx); err != nil {
		return err
	}
	if err := k.nothingToLose(ctx, keys); err != nil {
		return err
	}
	if keys.Sealing == nil {
		if err := k.codec.Prepare(ctx, keys); err != nil {
			return err
		}
	}
	// Last, so that a caller who can go on without writing knows that all else is well.
	return immutable
}

// rehearse applies each object as a dry run: the server does everything except storing it.
// immutable is the error for records that cannot be written although all else is well.
func (k *Store) rehearse(ctx context.Context) (immutable, err error) {
	for _, record := range []struct{ name, key string }{{k.keysName(), keysData}, {k.stateName(), stateData}} {
		if seen, _ := k.seen.get(secretKind, record.name); seen.immutable {
			immutable = errors.Join(immutable, k.immutable(record.name).Fault())
			continue
		}
		secret := k.emptySecret(record.name)
		secret.Data = map[string][]byte{record.key: bytes.Repeat([]byte{'x'}, wire.RehearsalSize)}
		if err := k.in.Secrets().Apply(ctx, secret, &corev1.Secret{}, true); err != nil {
			return nil, k.refused(record.name, kube.Access{Verb: "patch", Resource: "secrets", Name: record.name}, err)
		}
	}
	lease := &coordinationv1.Lease{}
	if err := k.in.Leases().Apply(ctx, k.emptyLease(), lease, true); err != nil {
		return nil, k.refused(k.name, kube.Access{Verb: "patch", Resource: "leases", Name: k.name}, err)
	}
	k.seen.note(leaseKind, lease)
	return immutable, nil
}

// refused turns the refusal of a rehearsal into a configuration error: unlike one in the middle of
// a run, it will not pass.
func (k *Store) refused(name string, a kube.Access, err error) error {
	if named := k.stop(name, err); named != nil {
		return named
	}
	explained := k.explain(a, err)
	if !kube.Refused(err) {
		return explained
	}
	return fault.Misuse(fmt.Errorf("rehearsing the write of the records: %w", explained), fault.RemedyOf(explained))
}
