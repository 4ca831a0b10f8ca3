package states

import (
	"context"
	"errors"
	"maps"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

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
		if !replicas[i].Health.Unsealed() && replicas[i].Health != fsm.Sealed {
			continue
		}
		life, err := b.Pods.Life(ctx, replicas[i].Address)
		switch {
		case errors.Is(err, workload.ErrNoPod):
			b.cannotTell(replicas[i].Address, err)
		case err != nil:
			return err
		case replicas[i].Health == fsm.Sealed:
			replicas[i].OnPurpose = open[replicas[i].Address] == life
		default:
			open[replicas[i].Address] = life
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
	if b.unknown[address] {
		return
	}
	if b.unknown == nil {
		b.unknown = map[string]bool{}
	}
	b.unknown[address] = true
	b.Log.Warn("if somebody seals this replica, it is unsealed again: nothing tells that from a restart", "replica", address, "error", err.Error())
}
