package states

import (
	"context"
	"errors"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// refusedShares remembers, for a replica and a rotation, that our shares do not open it
// and that it is for operators to do so: what they give must not be reset at each look.
type refusedShares struct{ seen sync.Map }

func (r *refusedShares) key(address, rotation string) string { return rotation + " " + address }

// unsealEither opens a replica with the set in force, or with that of a rotation that
// was cut off: until a rotation is settled nobody knows which of them is in force. It
// writes no record. Each set begins with an empty progress.
func (b *Bootstrap) unsealEither(ctx context.Context, replica cluster.Replica, keys store.Keys) (string, error) {
	sets := candidates(keys)
	if len(sets) == 1 {
		return b.unsealOne(ctx, replica, sets[0])
	}
	people := custodyOf(keys)
	known := b.refusedShares.key(replica.Address(), keys.Rotation.ID)
	if _, refused := b.refusedShares.seen.Load(known); refused && len(people.Custody) > 0 {
		return "", b.waitForPeople(ctx, replica, people)
	}
	var last error
	for i, set := range sets {
		if len(set.Custody) > 0 {
			continue
		}
		cluster, err := b.unsealOne(ctx, replica, set)
		finding, ok := errors.AsType[*fsm.Finding](err)
		if !ok || finding.Kind != fsm.SharesRefused {
			if err == nil && i > 0 {
				b.Log.Warn("it was opened, or found open, with the shares of a rotation that was cut off", "replica", replica.Address())
			}
			return cluster, err
		}
		last = err
	}
	if len(people.Custody) == 0 {
		return "", last
	}
	b.refusedShares.seen.Store(known, true)
	return "", b.waitForPeople(ctx, replica, people)
}

// waitForPeople says who must open a replica, if it is sealed still.
func (b *Bootstrap) waitForPeople(ctx context.Context, replica cluster.Replica, people store.KeySet) error {
	status, err := replica.SealStatus(ctx)
	if err != nil || !status.Sealed {
		return err
	}
	return b.canUnseal(replica, status, people)
}

// custodyOf is what operators hold, of all sets that may be in force.
func custodyOf(keys store.Keys) store.KeySet {
	people := *keys.Set
	people.Shares, people.Custody = nil, nil
	for _, set := range candidates(keys) {
		people.Custody = append(people.Custody, set.Custody...)
	}
	return people
}

// askedOf is the set whose shares are given where shares are needed: ours if we hold
// the ones in force, else those of operators, of every set that may be in force.
func askedOf(keys store.Keys) store.KeySet {
	if keys.Rotation == nil || len(keys.Set.Shares) > 0 {
		return *keys.Set
	}
	return custodyOf(keys)
}
