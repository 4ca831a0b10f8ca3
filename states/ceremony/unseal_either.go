package ceremony

import (
	"context"
	"errors"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// refusedShares remembers, for a replica and a rotation, that our shares do not open it and that
// custodians have to: what they give must not be reset at each look.
type refusedShares struct{ seen sync.Map }

func (r *refusedShares) key(address, rotation string) string { return rotation + " " + address }

// Open opens a replica with the set in force, or with that of a rotation that was cut off: until a
// rotation is settled, nobody knows which of them is in force. It writes no record. Unsealing
// starts from zero with each set.
func (u *Unsealer) Open(ctx context.Context, replica cluster.Replica, keys store.Keys) (string, error) {
	sets := Candidates(keys)
	if len(sets) == 1 {
		return u.OpenWith(ctx, replica, sets[0])
	}
	custodians := CustodyOf(keys)
	known := u.refused.key(replica.Address(), keys.Rotation.ID)
	if _, refused := u.refused.seen.Load(known); refused && len(custodians.Custody) > 0 {
		return "", u.waitForOwners(ctx, replica, custodians)
	}
	var last error
	for i, set := range sets {
		if len(set.Custody) > 0 {
			continue
		}
		id, err := u.OpenWith(ctx, replica, set)
		finding, ok := errors.AsType[*fsm.Finding](err)
		if !ok || finding.Kind != fsm.SharesRefused {
			if err == nil && i > 0 {
				u.Log.Warn("unsealed, or found unsealed, with the shares of a rotation that was cut off", "replica", replica.Address())
			}
			return id, err
		}
		last = err
	}
	if len(custodians.Custody) == 0 {
		return "", last
	}
	u.refused.seen.Store(known, true)
	return "", u.waitForOwners(ctx, replica, custodians)
}

// waitForOwners returns who must open a replica, if it is still sealed.
func (u *Unsealer) waitForOwners(ctx context.Context, replica cluster.Replica, custodians store.KeySet) error {
	status, err := replica.SealStatus(ctx)
	if err != nil || !status.Sealed {
		return err
	}
	return u.canUnseal(replica, status, custodians)
}
