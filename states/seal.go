package states

import (
	"context"
	"errors"
	"maps"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// noteLives reads the life of each server of which none is known yet, before the
// replicas are asked. What fails here fails again in respectSeals, which tells it.
func (b *Bootstrap) noteLives(ctx context.Context) {
	if !b.RespectSeal {
		return
	}
	for _, replica := range b.Replicas {
		if address := replica.Address(); b.lives.unseen(address) {
			if life, err := b.Pods.Life(ctx, address); err == nil {
				b.lives.note(address, life)
			}
		}
	}
}

// respectSeals marks the sealed replicas that somebody has sealed: those that were
// open before in the same life of their server. It remembers in the checkpoint in
// which life each replica was last seen open.
func (b *Bootstrap) respectSeals(ctx context.Context, replicas []fsm.Replica) error {
	if !b.RespectSeal {
		return nil
	}
	checkpoint, err := b.Records.Checkpoint(ctx)
	if err != nil {
		return err
	}
	open := maps.Clone(checkpoint.Open)
	if open == nil {
		open = map[string]string{}
	}
	for i := range replicas {
		address := replicas[i].Address
		if !replicas[i].Health.Unsealed() && replicas[i].Health != fsm.Sealed {
			continue
		}
		life, err := b.Pods.Life(ctx, address)
		switch {
		case errors.Is(err, workload.ErrNoPod):
			b.cannotTell(address, err)
		case err != nil:
			return err
		case replicas[i].Health == fsm.Sealed:
			replicas[i].OnPurpose = open[address] == life.Name
			b.lives.note(address, life)
		default:
			// What was open may be the server of an earlier life, which has ended since
			// it was asked, or ends now. Taking it for this one would keep this one
			// sealed for good.
			sure, why := b.lives.sure(address, life)
			switch {
			case sure:
				open[address] = life.Name
			case why != nil:
				b.cannotTell(address, why)
			}
			b.lives.note(address, life)
		}
	}
	if maps.Equal(open, checkpoint.Open) {
		return nil
	}
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.Open = open
		return nil
	})
}

// cannotTell warns, once for each replica, that a seal on purpose looks like a restart.
func (b *Bootstrap) cannotTell(address string, err error) {
	if b.lives.warn(address) {
		b.Log.Warn("if somebody seals this replica, it is unsealed again: nothing tells that from a restart", "replica", address, "error", err.Error())
	}
}
