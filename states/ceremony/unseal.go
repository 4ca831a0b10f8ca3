package ceremony

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Unsealer gives sealed replicas their key shares. It writes no record.
type Unsealer struct {
	Log *slog.Logger
	// WaitForUnseal is whether to wait for custodians to unseal, instead of failing.
	WaitForUnseal bool
	// Opened, if not nil, is called with the address of each replica that was given its shares.
	Opened func(address string)

	refused refusedShares
}

// OpenWith gives one replica as many shares as it requires, and no more. It returns the ID of the
// cluster that they opened, if Vault reports it.
func (u *Unsealer) OpenWith(ctx context.Context, replica cluster.Replica, set store.KeySet) (string, error) {
	status, err := replica.SealStatus(ctx)
	if err != nil || !status.Sealed {
		return "", err
	}
	if err := u.canUnseal(replica, status, set); err != nil {
		return "", err
	}
	if err := forgetProgress(ctx, u.Log, replica, status); err != nil {
		return "", err
	}
	return u.giveShares(ctx, replica, set, status.Threshold)
}

// canUnseal returns why our shares cannot open a sealed replica; nil if they may.
func (u *Unsealer) canUnseal(replica cluster.Replica, status vault.SealStatus, set store.KeySet) error {
	switch {
	case status.Recovery:
		return fault.Wait(fmt.Errorf("it is unsealed by its seal (%s), not by our keys", status.Type),
			"Waiting for auto-unseal. If it takes long, check the server's log: the KMS or the other Vault may be out of reach.")
	case len(set.Custody) > 0:
		return WaitForCustodians(replica.Address(), set, u.WaitForUnseal)
	case set.Kind == store.RecoveryKeys:
		return &fsm.Symptom{Kind: fsm.SharesRefused, Replica: replica.Address(), Err: errors.New("we hold recovery keys, but its seal requires unseal keys")}
	case status.Threshold > len(set.Shares):
		return &fsm.Symptom{Kind: fsm.SharesRefused, Replica: replica.Address(),
			Err: fmt.Errorf("it requires %d shares, we hold %d", status.Threshold, len(set.Shares))}
	default:
		return nil
	}
}

// forgetProgress makes a replica forget the shares of an unfinished unsealing.
func forgetProgress(ctx context.Context, log *slog.Logger, replica cluster.Replica, status vault.SealStatus) error {
	if status.Progress == 0 {
		return nil
	}
	log.Warn("forgetting the shares of an unsealing that was not finished", "replica", replica.Address(), "progress", status.Progress)
	if _, err := replica.ResetUnseal(ctx); err != nil {
		return fmt.Errorf("resetting: %w", err)
	}
	return nil
}

func (u *Unsealer) opened(address string) {
	if u.Opened != nil {
		u.Opened(address)
	}
}

func (u *Unsealer) giveShares(ctx context.Context, replica cluster.Replica, set store.KeySet, threshold int) (string, error) {
	for _, share := range set.Shares[:threshold] {
		status, err := replica.Unseal(ctx, share)
		if err != nil {
			return "", unsealAnswer(replica.Address(), err)
		}
		if !status.Sealed {
			u.opened(replica.Address())
			u.Log.Info("unsealed", "replica", replica.Address())
			return status.ClusterID, nil
		}
		point.Reach("unseal.share")
	}
	// A raft member that is joining takes the shares first, and opens when the leader has answered
	// its challenge.
	u.opened(replica.Address())
	return "", fault.Wait(errors.New("it was given all shares, but is still sealed"), "Waiting for it to join the raft cluster.")
}
