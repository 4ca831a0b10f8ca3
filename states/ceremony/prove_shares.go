package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// proveShares lets Vault itself check whether the offered shares are its own: by unsealing a sealed
// replica with them, or by a rekey on the active node that is cancelled before it can change
// anything.
func (a *adoption) proveShares(ctx context.Context, replicas fsm.Replicas) (*store.KeySet, error) {
	active, open := replicas.Active()
	for _, sealed := range replicas.ToUnseal() {
		replica := a.Cluster.At(sealed.Address)
		set, status, err := a.choose(ctx, replica)
		if err != nil {
			return nil, err
		}
		if status.Recovery || !status.Sealed {
			continue // it unseals itself, or somebody just unsealed it
		}
		opened, err := a.proveByUnsealing(ctx, replica, status, set.Shares[:set.Threshold])
		if err != nil {
			return nil, err
		}
		if opened {
			return set, nil
		}
		if !open {
			return nil, fault.Wait(fmt.Errorf("%s was given all shares, but does not report whether they are right", sealed.Address), "Waiting for it to join its raft cluster, or for an active node.")
		}
	}
	if !open {
		return nil, fault.Wait(errors.New("no replica is active, and none can be unsealed with key shares"),
			"The shares are proven on an active node, or on one that they unseal. With auto-unseal, check whether the KMS or the other Vault is reachable.")
	}
	replica := a.Cluster.At(active.Address)
	set, status, err := a.choose(ctx, replica)
	if err != nil {
		return nil, err
	}
	if err := a.proveByRekey(ctx, replica, a.stored, status.Recovery, a.offer.Root, set.Shares[:set.Threshold]); err != nil {
		return nil, err
	}
	return set, nil
}

// choose picks the offered shares that the replica's seal requires.
func (a *adoption) choose(ctx context.Context, replica cluster.Replica) (*store.KeySet, vault.SealStatus, error) {
	status, err := replica.SealStatus(ctx)
	if err != nil {
		return nil, status, fmt.Errorf("reading the seal of %s: %w", replica.Address(), err)
	}
	if status.Threshold < 1 {
		return nil, status, fault.Wait(fmt.Errorf("%s does not report how many key shares it requires", replica.Address()), "Waiting for it to report them.")
	}
	found, err := a.offer.For(status.Recovery, status.Threshold)
	if err != nil {
		return nil, status, fault.Misuse(fmt.Errorf("the given key shares cannot be those of %s: %w", replica.Address(), err),
			"Nothing was changed. Give all the shares, and each of them once.")
	}
	set := &store.KeySet{Kind: store.UnsealKeys, Shares: found, Threshold: status.Threshold, Created: a.Now().UTC()}
	if status.Recovery {
		set.Kind = store.RecoveryKeys
	}
	return set, status, nil
}

// nameWrongShares distinguishes the answer to wrong shares from other failures.
const nameWrongShares = "wrong shares"

// wrongShares is the error for shares that Vault did not accept.
func wrongShares(address string, err error) error {
	return &fault.Error{Kind: fault.Usage, Name: nameWrongShares, Err: fmt.Errorf("the given key shares are not those of %s: %w", address, err),
		Remedy: "Nothing was changed, and Vault cannot say which share is wrong. Check whether they are of this Vault, and whether it was rekeyed since they were written down."}
}

// proveByUnsealing gives a sealed replica the shares, and reports whether they opened it. A member
// that is joining a raft cluster does not show that.
func (a *adoption) proveByUnsealing(ctx context.Context, replica cluster.Replica, status vault.SealStatus, given []secret.Value) (bool, error) {
	if err := forgetProgress(ctx, a.Log, replica, status); err != nil {
		return false, err
	}
	for i, share := range given {
		status, err := replica.Unseal(ctx, share)
		if err != nil {
			// The shares given so far must not stay there for somebody else to complete.
			_, _ = replica.ResetUnseal(context.WithoutCancel(ctx))
			return false, provenAnswer(replica.Address(), err)
		}
		if !status.Sealed {
			a.Log.Info("unsealed", "replica", replica.Address())
			return i == len(given)-1, nil // if before the last share, somebody else opened it
		}
	}
	return false, nil
}

func provenAnswer(address string, err error) error {
	symptom, ok := errors.AsType[*fsm.Symptom](unsealAnswer(address, err))
	switch {
	case ok && symptom.Kind == fsm.SharesRefused:
		return wrongShares(address, symptom.Err)
	case ok:
		return fsm.AuditBlocksUnseal(*symptom)
	default:
		return fmt.Errorf("unsealing %s: %w", address, err)
	}
}
