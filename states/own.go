package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// ErrNoKeys means that nothing is there to unseal with.
var ErrNoKeys = errors.New("no keys are stored yet")

// OpenOwn unseals the one replica that this process stands beside, if it is sealed
// and the stored keys are its own, and returns its health before that. It needs no Lease, since it
// changes nothing but that replica, and giving a share twice does no harm; and no
// record is written. Whether there is a cluster to join or to initialize is for a run
// to decide, which sees all replicas.
func (b *Bootstrap) OpenOwn(ctx context.Context) (fsm.Health, error) {
	replicas, err := b.lookAtReplicas(ctx)
	if err != nil {
		return fsm.NoAnswer, err
	}
	if len(replicas) != 1 {
		return fsm.NoAnswer, fault.Misuse(fmt.Errorf("our own replica has %d addresses", len(replicas)), "Name one.")
	}
	own := replicas[0]
	switch {
	case own.Health == fsm.NoAnswer:
		return own.Health, fault.Wait(fmt.Errorf("no answer from %s: %s", own.Address, own.Answer), "Waiting for it to listen.")
	case own.Health != fsm.Sealed && own.Health != fsm.NotInitialized:
		return own.Health, nil
	}
	keys, err := b.Observer.Records.Keys(ctx)
	if err != nil {
		return own.Health, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set == nil {
		return own.Health, fault.Wait(fmt.Errorf("%s is %s, and %w", own.Address, own.Health, ErrNoKeys),
			"A run, or the leading watch, initializes the cluster and unseals it, or 'adopt' stores its keys.")
	}
	if own.Health == fsm.NotInitialized {
		return own.Health, fault.Wait(fmt.Errorf("%s is uninitialized, and keys are stored", own.Address),
			"Waiting until it joins the cluster, by retry_join or by a run.")
	}
	if err := b.openOne(ctx, b.At(own.Address), keys); err != nil {
		return own.Health, fmt.Errorf("unsealing %s: %w", own.Address, err)
	}
	return own.Health, nil
}
