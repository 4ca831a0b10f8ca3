package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// initialize makes the first replica initialize the cluster and stores what it
// answers. The order is what keeps keys from being lost: every place that the answer
// will go to is proven first, and the key that opens it is stored, since after
// sys/init nothing may fail that could have failed before.
func (b *Bootstrap) initialize(ctx context.Context, o fsm.Observation) error {
	target := b.at(o.Replicas[0].Address)
	status, err := target.SealStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the seal of %s: %w", target.Address(), err)
	}
	split := b.split(status.Recovery)
	if err := b.Preflight(ctx); err != nil {
		return fmt.Errorf("checking that the keys can be stored: %w", err)
	}
	pair, err := pgp.Generate("vault-bootstrap", b.Now())
	if err != nil {
		return err
	}
	if err := b.checkSpool(pair, split); err != nil {
		return err
	}
	attempt, err := b.intend(ctx, target.Address(), pair)
	if err != nil {
		return fmt.Errorf("recording the intent to initialize: %w", err)
	}
	b.Log.Info("initializing", "replica", target.Address(), "attempt_id", attempt.ID, "seal", status.Type,
		"shares", split.Shares, "threshold", split.Threshold, "custody", len(split.Custodians) > 0)
	point.Reach("initialize.intended")

	// From here to the stored keys nothing of ours may cut in: a termination signal,
	// a deadline or a lost Lease would throw the only copy away.
	answer, err := target.Initialize(context.WithoutCancel(ctx), split.request(status.Recovery, pair.Public))
	if err != nil {
		return initAnswer(target.Address(), err)
	}
	entry := spool.Entry{
		Attempt: attempt.ID, Shares: answer.Shares, Root: answer.Root,
		Recovery: status.Recovery, Threshold: split.Threshold, Custody: len(split.Custodians) > 0,
	}
	b.spool(entry)
	point.Reach("initialize.spooled")
	return b.deliver(ctx, entry)
}

// split returns how to split the key of a Vault with or without auto-unseal.
func (b *Bootstrap) split(recovery bool) KeySplit {
	if recovery {
		return b.Recovery
	}
	return b.Split
}

// request returns what to ask Vault for. Without custodians every share is
// encrypted to the attempt's own key.
func (s KeySplit) request(recovery bool, ours string) vault.InitRequest {
	request := vault.InitRequest{Shares: s.Shares, Threshold: s.Threshold, Recovery: recovery, RootKey: ours}
	for i := range s.Shares {
		key := ours
		if len(s.Custodians) > 0 {
			key = s.Custodians[i].Key
		}
		request.ShareKeys = append(request.ShareKeys, key)
	}
	return request
}

// intend records that an attempt begins, with the private key that will open
// Vault's answer. An earlier attempt is kept beside it.
func (b *Bootstrap) intend(ctx context.Context, target string, pair pgp.Pair) (store.Attempt, error) {
	attempt := store.Attempt{
		ID: newID(), Holder: b.Holder, Epoch: b.Records.Epoch(), Started: b.Now().UTC(),
		Status: store.AttemptOpen, Target: target, Pod: b.Pod,
		PublicKey: pair.Public, PrivateKey: pair.Private,
	}
	err := b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil {
			return fault.Stop(fsm.NameKeysWithoutVault, errors.New("keys were stored while we looked"), "Run again.")
		}
		if keys.Attempt != nil {
			keys.Past = append(keys.Past, *keys.Attempt)
		}
		if keys.HashKey.Empty() {
			keys.HashKey = newSecret()
		}
		keys.Attempt = &attempt
		return nil
	})
	b.attempt = &attempt
	return attempt, err
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

// graceAfterEnd is how long the keys are tried to be stored after the run was told
// to end. With the time that Vault takes to answer it stays below the 300 s that our
// manifests give a pod.
const graceAfterEnd = 2 * time.Minute
