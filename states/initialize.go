package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// initializing initializes a Vault, and loses none of its keys.
type initializing struct {
	setting  *Setting
	cluster  *cluster.Cluster
	records  *held
	delivery *Delivery
	attempts *attempts
	// preflight checks that the store takes what initialization will write, and that nothing
	// endangers it there.
	preflight func(ctx context.Context) error
	refusal   *refusal // of an attempt of this process
}

// act has the first replica initialize the cluster and stores its answer. The order keeps keys from
// being lost: every spool location and the store are tested first, and the key that opens the
// answer is stored, since nothing may fail after sys/init that could have failed before.
func (i *initializing) act(ctx context.Context, look *Look) error {
	if look.Locked != nil {
		return look.Locked
	}
	target := i.cluster.At(look.Observation.Replicas[0].Address)
	status, err := target.SealStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the seal of %s: %w", target.Address(), err)
	}
	split := i.delivery.responses.splitOf(status.Recovery)
	if split.Shares == 0 && !status.Shareless() {
		return fault.Misuse(fmt.Errorf("--recovery-shares=0: %s cannot be initialized without recovery keys", target.Address()),
			"Nothing was sent. OpenBao can since 2.6.0, and this server is another, or an earlier one: give a number of recovery keys.")
	}
	if err := i.preflight(ctx); err != nil {
		return fmt.Errorf("checking that the keys can be stored: %w", err)
	}
	if look.Observation.Keys == fsm.MissingKeys {
		if err := i.forgetFormer(ctx, look.Observation.ClusterID); err != nil {
			return err
		}
	}
	pair, again := i.pairAgain(look.StoredKeys)
	if !again {
		if pair, err = pgp.Generate("vault-bootstrap", i.setting.Now()); err != nil {
			return err
		}
	}
	if err := i.delivery.checkSpool(ctx, pair, split); err != nil {
		return err
	}
	if err := i.rehearse(ctx, target.Address(), pair, split); err != nil {
		return fmt.Errorf("checking that the keys can be stored: %w", err)
	}
	attempt, err := i.intend(ctx, target.Address(), pair, again)
	if err != nil {
		return fmt.Errorf("recording the intent to initialize: %w", err)
	}
	i.setting.Log.Info("initializing", "replica", target.Address(), "attempt_id", attempt.ID, "seal", status.Type,
		"shares", split.Shares, "threshold", split.Threshold, "custody", len(split.Custodians) > 0)
	point.Reach("initialize.intended")

	// Nothing of ours may interrupt from here until the keys are stored: a termination signal, a
	// deadline or a lost Lease would throw away the only copy.
	answer, err := target.Initialize(context.WithoutCancel(ctx), initRequest(split, status.Recovery, pair.Public))
	if err != nil {
		i.attempts.begun(attempt.ID) // the wait for its outcome begins now
		return i.initAnswer(target.Address(), attempt.ID, pair, err)
	}
	entry := spool.Entry{
		Attempt: attempt.ID, Shares: answer.Shares, Root: answer.Root,
		Recovery: status.Recovery, Threshold: split.Threshold, Custody: len(split.Custodians) > 0,
	}
	i.setting.done.note((*Changes).initialized, target.Address())
	i.delivery.spool(entry)
	point.Reach("initialize.spooled")
	return i.delivery.deliver(ctx, entry)
}

// forgetFormer takes from the checkpoint what it knows of a Vault whose storage and whose keys record
// are both gone: its ledger would have us prune what others make in the one that replaces it.
func (i *initializing) forgetFormer(ctx context.Context, former string) error {
	i.setting.Log.Warn("the checkpoint knows a Vault whose storage and keys record are gone: another one takes its place", "former_cluster", former)
	err := i.records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		c.ForgetVault()
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting the former Vault: %w", err)
	}
	return nil
}

// refusal is an attempt of this process that Vault has refused, with its key pair.
type refusal struct {
	attempt string
	pair    pgp.Pair
}

// pairAgain returns the key pair of an attempt that Vault has refused, for another try. It comes
// from memory, where nobody can have replaced it, and never from the record.
func (i *initializing) pairAgain(keys store.Keys) (pgp.Pair, bool) {
	latest := keys.Attempt
	if i.refusal == nil || latest == nil || latest.ID != i.refusal.attempt || latest.Status != store.AttemptRefused {
		return pgp.Pair{}, false
	}
	return i.refusal.pair, true
}

// intend records that an attempt begins, with the private key that will open Vault's answer. An
// earlier attempt is kept beside it; one that this process made and Vault refused begins again.
func (i *initializing) intend(ctx context.Context, target string, pair pgp.Pair, again bool) (store.Attempt, error) {
	attempt := i.newAttempt(target, pair)
	if again {
		attempt.ID = i.refusal.attempt
	}
	err := i.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil {
			return fault.Stop(fsm.NameKeysWithoutVault, errors.New("keys were stored in the meantime"), "Run again.")
		}
		begin(keys, attempt)
		return nil
	})
	i.delivery.attempt, i.refusal = &attempt, nil
	i.attempts.begun(attempt.ID)
	return attempt, err
}

func (i *initializing) newAttempt(target string, pair pgp.Pair) store.Attempt {
	return store.Attempt{
		ID: newID(), Holder: i.setting.Holder, Epoch: i.records.Epoch(), Started: i.setting.Now().UTC(),
		Status: store.AttemptOpen, Target: target, Pod: i.setting.Pod, Process: i.setting.Process, Grace: mayDeliverFor,
		PublicKey: pair.Public, PrivateKey: pair.Private,
	}
}

// begin makes an attempt the latest one on record.
func begin(keys *store.Keys, attempt store.Attempt) {
	if keys.Attempt != nil && keys.Attempt.ID != attempt.ID {
		keys.Past = append(keys.Past, *keys.Attempt)
	}
	if keys.HashKey.Empty() {
		keys.HashKey = newSecret()
	}
	keys.Attempt = &attempt
}

// rehearse proves, before Vault is asked, that the record has room for the largest possible answer
// beside all that it holds.
func (i *initializing) rehearse(ctx context.Context, target string, pair pgp.Pair, split ceremony.KeySplit) error {
	sample, err := sampleAnswer(split, pair)
	if err != nil {
		return err
	}
	return i.records.Rehearse(ctx, func(keys *store.Keys) error {
		attempt := i.newAttempt(target, pair)
		attempt.Answer = &store.Answer{Shares: sample.Shares, Root: sample.Root, Recovery: true, Threshold: sample.Threshold, Custody: true}
		begin(keys, attempt)
		set := store.KeySet{Kind: store.RecoveryKeys, Threshold: split.Threshold, Created: i.setting.Now().UTC(), Attempt: attempt.ID}
		for n, message := range sample.Shares {
			set.Shares = append(set.Shares, secret.New(strings.Repeat("0", shareLength)))
			if n < len(split.Custodians) {
				set.Custody = append(set.Custody, store.CustodyShare{Owner: split.Custodians[n].Owner, Fingerprint: split.Custodians[n].Fingerprint, Message: message})
			}
		}
		keys.Set, keys.Root = &set, &store.Root{Token: secret.New(strings.Repeat("x", tokenLength)), Accessor: strings.Repeat("x", tokenLength)}
		return nil
	})
}

// initAnswer classifies the ways in which sys/init fails. A refusal counts only if Vault itself
// sent it, and the next look finds Vault empty: a proxy may have answered in its place, and Vault
// also answers 400 to failures after it has begun to write.
func (i *initializing) initAnswer(address, attempt string, pair pgp.Pair, err error) error {
	symptom, ok := errors.AsType[*fsm.Symptom](sortInitAnswer(address, err))
	if !ok {
		return fmt.Errorf("initializing at %s: %w", address, err)
	}
	if symptom.Kind == fsm.InitRefused {
		i.refusal = &refusal{attempt, pair}
		i.attempts.refused = attempt
	}
	return symptom
}

// sortInitAnswer returns a symptom for what only the next look can judge; else nil.
func sortInitAnswer(address string, err error) error {
	switch {
	case vault.Says(err, product.StorageHasState):
		return &fsm.Symptom{Kind: fsm.StorageHasState, Replica: address, Err: err}
	case httpstatus.Of(err) == http.StatusBadRequest && !vault.Foreign(err) && !vault.Says(err, product.AlreadyInitialized):
		return &fsm.Symptom{Kind: fsm.InitRefused, Replica: address, Err: err}
	default:
		return nil
	}
}

// graceAfterEnd is how long a run keeps trying to store the keys after it was asked to end.
// Together with the time that Vault takes to answer it stays below the 300 s that our manifests
// give a pod.
const graceAfterEnd = 2 * time.Minute
