package states

import (
	"context"
	"errors"
	"maps"
	"net/netip"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// lookAtReplicas asks all replicas how they are, and notes of which life each answer is.
func (o *Observer) lookAtReplicas(ctx context.Context) (fsm.Replicas, error) {
	return cluster.Look(ctx, o.Servers, witness{o})
}

// witness notes in which life of its server each replica answers.
type witness struct{ *Observer }

// Asking reads the life of each server of which none is known yet, before the replicas are
// asked. What fails here fails again in lookAtSeals, which reports it.
func (w witness) Asking(ctx context.Context, servers []cluster.Server) {
	if !w.RespectSeal {
		return
	}
	for _, server := range servers {
		if address := server.Address(); w.lives.unseen(address) {
			if life, err := w.Pods.Life(ctx, address); err == nil {
				w.lives.note(address, life)
			}
		}
	}
}

// Answered notes where an answer came from.
func (w witness) Answered(address string, from netip.Addr) { w.lives.answered(address, from) }

// lookAtSeals marks the sealed replicas that somebody has sealed: those that were open
// before in the same life of their server. In which life each replica is open is to be
// noted in the checkpoint.
func (o *Observer) lookAtSeals(ctx context.Context, look *Look) error {
	if !o.RespectSeal {
		return nil
	}
	open := maps.Clone(look.Checkpoint.Open)
	if open == nil {
		open = map[string]string{}
	}
	for i := range look.Observation.Replicas {
		replica := &look.Observation.Replicas[i]
		address := replica.Address
		if !replica.Health.Unsealed() && replica.Health != fsm.Sealed {
			continue
		}
		life, err := o.Pods.Life(ctx, address)
		switch {
		case errors.Is(err, workload.ErrNoPod):
			o.cannotTell(address, err)
		case err != nil:
			return err
		case replica.Health == fsm.Sealed:
			replica.OnPurpose = open[address] == life.Name
			o.lives.note(address, life)
		default:
			// What was open may be the server of an earlier life, which has ended since
			// it was asked, or ends now. Taking it for this one would keep this one
			// sealed for good.
			sure, why := o.lives.sure(address, life)
			switch {
			case sure:
				open[address] = life.Name
			case why != nil:
				o.cannotTell(address, why)
			}
			o.lives.note(address, life)
		}
	}
	if !maps.Equal(open, look.Checkpoint.Open) {
		look.Unsettled.Open = open
	}
	return nil
}

// cannotTell warns, once for each replica, that a seal on purpose looks like a restart.
func (o *Observer) cannotTell(address string, err error) {
	if o.lives.warn(address) {
		o.Log.Warn("if somebody seals this replica, it is unsealed again: a manual seal looks the same as a restart", "replica", address, "error", err.Error())
	}
}
