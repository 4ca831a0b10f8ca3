package states

import (
	"cmp"
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// withoutServerObjects returns an error for the objects of a seed in a namespace that belong to the
// server as a whole, on every server.
func withoutServerObjects(declaration Declaration) error {
	if declaration.Namespace == "" {
		return nil
	}
	problems := &value.Problems{}
	for _, o := range declaration.Objects {
		if o.ServerWide() {
			problems.Add(o.Position, "%s belongs to the server as a whole, and --vault-namespace=%s makes this the seed of a namespace", o.ID, declaration.Namespace)
		}
	}
	return problems.Err("Move it to a seed for the root namespace, which is applied without --vault-namespace and with records of its own, or to the server's configuration. Nothing was sent to Vault.")
}

// recordedNamespace returns the name under which the checkpoint knows the namespace of the seed.
func (d *Desired) recordedNamespace() string {
	return cmp.Or(d.declaration.Namespace, store.RootNamespace)
}

// sameNamespace returns an error for records that are about another namespace than the seed: their
// ledger would have us prune, under the same paths, what others have made.
func (d *Desired) sameNamespace(checkpoint store.Checkpoint) error {
	now := d.recordedNamespace()
	if checkpoint.Namespace == "" || checkpoint.Namespace == now {
		return nil
	}
	return fault.Misuse(fmt.Errorf("these records are about the namespace %q, and --vault-namespace makes the seed that of %q", checkpoint.Namespace, now),
		"Nothing was changed. Give the namespace that the records are about, or records of its own to this one (--name, --store).")
}

// runGroups are the facts that a run gathers: for the controls that it requires and fixes, and for
// the audit devices, about which it always advises. What only the root namespace shows is not
// gathered from another one.
func (d *Desired) runGroups() []harden.Group {
	groups := append(d.declaration.Rules.Groups(), harden.GroupAudit)
	if d.declaration.Namespace != "" {
		groups = harden.WithoutServer(groups)
	}
	return groups
}

// enterNamespace makes sure that the namespace of the seed is there, with those around it. Only root
// can: our own login lives inside.
func (s *seeding) enterNamespace(ctx context.Context, session *vault.Session) error {
	path := session.Namespace()
	if path == "" {
		return nil
	}
	made, err := reconcile.MakeNamespaces(ctx, session.InRoot(), path)
	for _, each := range made {
		s.setting.done.note((*Changes).created, "sys/namespaces/"+each)
		s.setting.Log.Info("created the namespace", "namespace", each)
	}
	if err != nil {
		return fmt.Errorf("creating the namespace %q of the seed: %w", path, err)
	}
	return nil
}
