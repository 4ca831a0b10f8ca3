package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Memory is what the records say, as far as they could be read.
type Memory struct {
	Checkpoint store.Checkpoint
	Keys       store.Keys
}

// Plan compares Vault with the declared seed, and changes nothing. It reads with
// token, or, if that is empty, with our own login; on a Vault whose first run is not
// through, with its root token.
//
// With an error that says what cannot be put right, the plan is returned as well.
func (o *Observer) Plan(ctx context.Context, token secret.Value, memory Memory) (*reconcile.Plan, error) {
	replicas, err := o.lookAtReplicas(ctx)
	if err != nil {
		return nil, err
	}
	active, found := fsm.Observation{Replicas: replicas}.Active()
	if !found {
		return nil, fault.Wait(errors.New("no replica of Vault is active, so that there is nothing to compare with"),
			"Vault is sealed or was never initialized: 'vault-bootstrap status' shows it, 'vault-bootstrap run' mends it.")
	}
	view, err := o.planView(ctx, active.Address, token, memory.Keys)
	if err != nil {
		return nil, err
	}
	defer o.access.Close(context.WithoutCancel(ctx))
	goal := o.goal(o.declared, memory.Checkpoint, memory.Keys)
	goal.Memory.Lost = memory.Keys.HashKey.Empty()
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if err != nil && vault.StatusOf(err) == 403 {
		err = fault.Misuse(fmt.Errorf("comparing Vault with the seed: %w", err), "The token may not read all that the seed names. It needs 'read' there, and 'sudo' where Vault asks for it.")
	}
	if plan != nil {
		fixes, fixErr := o.planFixes(ctx, view)
		plan.Fixes, err = fixes, errors.Join(err, fixErr)
	}
	return plan, err
}

func (o *Observer) planView(ctx context.Context, address string, token secret.Value, keys store.Keys) (vault.View, error) {
	switch {
	case !token.Empty():
		return o.access.with(address, token)
	case keys.Root != nil:
		return o.access.with(address, keys.Root.Token)
	}
	view, _, err := o.access.ours(ctx, address, keys)
	if err != nil && (errors.Is(err, ErrNoCredential) || vault.Refused(err)) {
		return vault.View{}, fault.Misuse(fmt.Errorf("logging in to read: %w", err), "Give a token with --token-file or VAULT_TOKEN. "+o.access.hint())
	}
	return view, err
}
