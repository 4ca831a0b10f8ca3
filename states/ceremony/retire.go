package ceremony

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Retire puts the stored keys away, under the date, so that an empty Vault can be
// initialized in the place of the one that they opened. It returns the dates, one for
// each set: with a rotation on record more than one may be what opens a backup. Keys of
// a Vault that is there, or may be there, are left where they are.
//
// A root token of break-glass that is on record lives on in a backup, and only the
// record can end it: it is forgotten only if forgetGlass says so.
func (a *Administrator) Retire(ctx context.Context, forgetGlass bool) ([]string, error) {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if err := retirable(keys, forgetGlass); err != nil {
		return nil, err
	}
	replicas, err := cluster.Look(ctx, a.Cluster, nil)
	if err != nil {
		return nil, err
	}
	if len(replicas) == 0 {
		return nil, fault.Wait(errors.New("no replica is known"), "Nothing was changed. Give the addresses of Vault, so that it can be seen to be empty.")
	}
	for _, replica := range replicas {
		switch {
		case replica.Health == fsm.NoAnswer:
			return nil, fault.Wait(fmt.Errorf("%s does not answer (%s)", replica.Address, replica.Answer),
				"Nothing was changed: it may hold the data that these keys open. Try again when it answers.")
		case replica.Health.Initialized():
			return nil, fault.Misuse(fmt.Errorf("%s is initialized (%s): its keys are not put away", replica.Address, replica.Health),
				"Nothing was changed. Only keys whose Vault is empty are put away.")
		}
	}
	// The ledger first: without it the next Vault would be taken for one that holds
	// what we made. If it is all that is done, the keys still are where they were.
	err = a.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.State, c.Since, c.ClusterID = string(fsm.Uninitialized), a.Now().UTC(), ""
		c.SeedDigest, c.Ledger, c.Hashes, c.Open = "", nil, nil, nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	var dates []string
	err = a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if err := retirable(*keys, forgetGlass); err != nil {
			return err
		}
		dates = retire(keys, a.Now())
		return nil
	})
	return dates, err
}

func retirable(keys store.Keys, forgetGlass bool) error {
	if keys.Set == nil {
		return fault.Misuse(errors.New("no keys are stored"), "There is nothing to put away: vault-bootstrap run.")
	}
	if glass := keys.RootGrant; glass != nil && !forgetGlass {
		return fault.Misuse(fmt.Errorf("a break-glass of %s is on record: its root token (accessor %q) may be alive in a backup of this Vault", glass.Holder, glass.Accessor),
			"Nothing was changed. If a backup is restored, 'vault-bootstrap run' ends the token. If no backup was made while it lived, or you will look for it yourself, give --forget-break-glass.")
	}
	return nil
}

// retire puts every set away that may have been in force. A rotation without a set had
// not come to new shares, and its private key opens nothing.
func retire(keys *store.Keys, now time.Time) []string {
	dates := PutAway(keys, now, Candidates(*keys)...)
	if origin := keys.Origin(); origin != nil {
		// Its answer is what was put away: nothing is left to open with its key. Other answers
		// and the keys that open them stay.
		origin.PrivateKey, origin.Answer = secret.Value{}, nil
	}
	keys.Set, keys.Root, keys.AppRole, keys.Rotation, keys.RootGrant = nil, nil, nil, nil, nil
	if keys.Attempt != nil {
		keys.Past = append(keys.Past, *keys.Attempt)
		keys.Attempt = nil
	}
	return dates
}
