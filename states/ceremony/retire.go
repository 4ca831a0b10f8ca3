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

// Retire puts the stored keys away, under the date, so that an empty Vault can be initialized to
// replace the one that they opened. It returns the dates, one for each set: with a rotation on
// record, any of several sets may open a backup. Keys of a Vault that exists, or may exist, are
// left where they are.
//
// A root token of break-glass that is on record may live on in a backup, and only the record can
// revoke it: it is forgotten only if forgetBreakGlass is set.
func (a *Administrator) Retire(ctx context.Context, forgetBreakGlass bool) ([]string, error) {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if err := retirable(keys, forgetBreakGlass); err != nil {
		return nil, err
	}
	replicas, err := cluster.Look(ctx, a.Cluster, nil)
	if err != nil {
		return nil, err
	}
	if len(replicas) == 0 {
		return nil, fault.Wait(errors.New("no replica is known"), "Nothing was changed. Give the addresses of Vault, so that it can be checked to be empty.")
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
	// The ledger first: if it stayed, the next Vault would be taken to hold what we created. If we
	// fail after this, the keys are still where they were.
	err = a.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.ForgetVault()
		c.State, c.Since = string(fsm.Uninitialized), a.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	var dates []string
	err = a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if err := retirable(*keys, forgetBreakGlass); err != nil {
			return err
		}
		dates = retire(keys, a.Now())
		return nil
	})
	return dates, err
}

func retirable(keys store.Keys, forgetBreakGlass bool) error {
	if keys.Set == nil {
		return fault.Misuse(errors.New("no keys are stored"), "There is nothing to put away: vault-bootstrap run.")
	}
	if rootGrant := keys.RootGrant; rootGrant != nil && !forgetBreakGlass {
		return fault.Misuse(fmt.Errorf("a break-glass of %s is on record: its root token (accessor %q) may be alive in a backup of this Vault", rootGrant.Holder, rootGrant.Accessor),
			"Nothing was changed: if a backup is restored, 'vault-bootstrap run' revokes the token. If no backup was made while it was alive, or you will revoke it yourself, give --forget-break-glass.")
	}
	return nil
}

// retire puts away every set that may have been in force. A rotation without a set had no new
// shares yet, and its private key opens nothing.
func retire(keys *store.Keys, now time.Time) []string {
	dates := PutAway(keys, now, Candidates(*keys)...)
	if origin := keys.Origin(); origin != nil {
		// Its answer is the set that was put away: its key has nothing left to open. Other answers
		// and the keys that open them stay.
		origin.PrivateKey, origin.Answer = secret.Value{}, nil
	}
	keys.Set, keys.Root, keys.AppRole, keys.Ceremony, keys.Rotation, keys.RootGrant = nil, nil, nil, nil, nil, nil
	if keys.Attempt != nil {
		keys.Past = append(keys.Past, *keys.Attempt)
		keys.Attempt = nil
	}
	return dates
}
