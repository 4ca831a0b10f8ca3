package states

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Retire puts the stored keys away, under the date, so that an empty Vault can be
// initialized in the place of the one that they opened. It returns that date. Keys of
// a Vault that is there, or may be there, are left where they are.
func (b *Bootstrap) Retire(ctx context.Context) (string, error) {
	replicas, err := b.lookAtReplicas(ctx)
	if err != nil {
		return "", err
	}
	if len(replicas) == 0 {
		return "", fault.Wait(errors.New("no replica is known"), "Nothing was changed. Give the addresses of Vault, so that it can be seen to be empty.")
	}
	for _, replica := range replicas {
		switch {
		case replica.Health == fsm.NoAnswer:
			return "", fault.Wait(fmt.Errorf("%s does not answer (%s)", replica.Address, replica.Answer),
				"Nothing was changed: it may hold the data that these keys open. Try again when it answers.")
		case replica.Health.Initialized():
			return "", fault.Misuse(fmt.Errorf("%s is initialized (%s): its keys are not put away", replica.Address, replica.Health),
				"Nothing was changed. Only keys whose Vault is empty are put away.")
		}
	}
	// The ledger first: without it the next Vault would be taken for one that holds
	// what we made. If it is all that is done, the keys still are where they were.
	err = b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.State, c.Since, c.ClusterID = string(fsm.Uninitialized), b.Now().UTC(), ""
		c.SeedDigest, c.Ledger, c.Hashes, c.Open = "", nil, nil, nil
		return nil
	})
	if err != nil {
		return "", err
	}
	date := b.Now().UTC().Format(time.RFC3339)
	return date, b.Records.UpdateKeys(ctx, func(keys *store.Keys) error { return retire(keys, date) })
}

func retire(keys *store.Keys, date string) error {
	if keys.Set == nil {
		return fault.Misuse(errors.New("no keys are stored"), "There is nothing to put away: vault-bootstrap run.")
	}
	if keys.Old == nil {
		keys.Old = map[string]store.KeySet{}
	}
	if _, taken := keys.Old[date]; taken {
		return fault.Wait(fmt.Errorf("keys were put away at %s already", date), "Try again in a second.")
	}
	keys.Old[date] = *keys.Set
	keys.Set, keys.Root, keys.AppRole = nil, nil, nil
	if keys.Attempt != nil {
		// Its answer is what was put away: nothing is left to open with its key.
		keys.Attempt.PrivateKey, keys.Attempt.Answer = secret.Value{}, nil
		keys.Past = append(keys.Past, *keys.Attempt)
		keys.Attempt = nil
	}
	return nil
}

// putAway keeps a set of keys that is no longer in force, under the date: it opens the
// backups of its time.
func putAway(keys *store.Keys, set store.KeySet, now time.Time) {
	if keys.Old == nil {
		keys.Old = map[string]store.KeySet{}
	}
	keys.Old[now.UTC().Format(time.RFC3339Nano)] = set
}
