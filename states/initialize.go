package states

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// storeGrace is how long the keys are tried to be stored. It stays below the 300 s
// that our manifests give a pod to end.
const storeGrace = 4 * time.Minute

// initialize makes the first replica initialize the cluster and stores what it
// answers. The order matters: the store is proven first and the intent recorded,
// since after sys/init nothing may fail that could have failed before.
func (b *Bootstrap) initialize(ctx context.Context, o fsm.Observation) error {
	target := b.at(o.Replicas[0].Address)
	status, err := target.SealStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the seal of %s: %w", target.Address(), err)
	}
	request := b.split(status.Recovery)
	if err := b.Preflight(ctx); err != nil {
		return fmt.Errorf("checking that the keys can be stored: %w", err)
	}
	attempt, err := b.intend(ctx, target.Address())
	if err != nil {
		return fmt.Errorf("recording the intent to initialize: %w", err)
	}
	b.Log.Info("initializing", "replica", target.Address(), "attempt_id", attempt, "seal", status.Type,
		"shares", request.Shares, "threshold", request.Threshold)

	// From here to the stored keys nothing of ours may cut in: a termination
	// signal, a deadline or a lost Lease would throw the only copy away.
	critical := context.WithoutCancel(ctx)
	point.Reach("initialize.intended")
	answer, err := target.Initialize(critical, request)
	if err != nil {
		return initAnswer(target.Address(), err)
	}
	point.Reach("initialize.answered")
	if err := b.keep(critical, attempt, request, answer); err != nil {
		return err
	}
	point.Reach("initialize.stored")
	return nil
}

func (b *Bootstrap) split(recovery bool) vault.InitRequest {
	split := b.Split
	if recovery {
		split = b.Recovery
	}
	return vault.InitRequest{Shares: split.Shares, Threshold: split.Threshold, Recovery: recovery}
}

// intend records that an attempt begins. An earlier one is kept beside it.
func (b *Bootstrap) intend(ctx context.Context, target string) (string, error) {
	id := rand.Text()
	err := b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil {
			return fault.Stop(fsm.NameKeysWithoutVault, errors.New("keys were stored while we looked"), "Run again.")
		}
		if keys.Attempt != nil {
			keys.Past = append(keys.Past, *keys.Attempt)
		}
		if keys.HashKey.Empty() {
			keys.HashKey = secret.New(rand.Text())
		}
		keys.Attempt = &store.Attempt{
			ID: id, Holder: b.Holder, Epoch: b.Records.Epoch(),
			Started: b.Now().UTC(), Status: store.AttemptOpen, Target: target,
		}
		return nil
	})
	return id, err
}

// initAnswer sorts the ways in which sys/init fails.
func initAnswer(address string, err error) error {
	switch {
	case vault.Says(err, "already has state"):
		return &fsm.Finding{Kind: fsm.StorageHasState, Replica: address, Err: err}
	case vault.StatusOf(err) == http.StatusBadRequest && !vault.Says(err, "already initialized"):
		return fault.Misuse(fmt.Errorf("%s refuses to initialize: %w", address, err),
			"Check --key-shares and --key-threshold (--recovery-shares and --recovery-threshold with auto-unseal).")
	default:
		return fmt.Errorf("initializing at %s: %w", address, err)
	}
}

// keep stores the keys in one write and reads them back.
func (b *Bootstrap) keep(ctx context.Context, attempt string, request vault.InitRequest, answer vault.InitAnswer) error {
	ctx, cancel := context.WithTimeout(ctx, storeGrace)
	defer cancel()
	set := store.KeySet{Kind: store.UnsealKeys, Shares: answer.Shares, Threshold: request.Threshold, Created: b.Now().UTC()}
	if request.Recovery {
		set.Kind = store.RecoveryKeys
	}
	write := func(keys *store.Keys) error {
		if keys.Attempt == nil || keys.Attempt.ID != attempt {
			return errors.New("another attempt took our place")
		}
		keys.Attempt.Status = store.AttemptStored
		keys.Set, keys.Root = &set, &store.Root{Token: answer.Root}
		return nil
	}
	backoff := retry.WithCappedDuration(5*time.Second, retry.NewExponential(100*time.Millisecond))
	var last error
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		// Every failure is tried again, also a forbidden one: somebody may mend it
		// while we still hold the keys.
		last = b.Records.UpdateKeys(ctx, write)
		if last != nil {
			b.Log.Error("the keys are not stored yet, trying again", "error", last.Error(), "remedy", fault.RemedyOf(last))
		}
		return retry.RetryableError(last)
	})
	if err != nil {
		return fault.Stop(fsm.NameKeysLost, fmt.Errorf("the keys could not be stored within %s: %w", storeGrace, last),
			"The unseal keys and the root token of this Vault are gone. Mend the store, delete the data of every replica and run again.")
	}
	return b.readBack(ctx, set.Shares)
}

func (b *Bootstrap) readBack(ctx context.Context, shares []secret.Value) error {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored keys back: %w", err)
	}
	if keys.Set == nil || len(keys.Set.Shares) != len(shares) {
		return errors.New("reading the stored keys back: they are not there")
	}
	for i, share := range keys.Set.Shares {
		if !share.Equal(shares[i]) {
			return errors.New("reading the stored keys back: they differ")
		}
	}
	return nil
}
