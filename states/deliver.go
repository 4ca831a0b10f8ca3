package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// logAgain is after how long it is logged again that the keys are still not stored.
const logAgain = 30 * time.Second

// deliver stores Vault's answer: ciphertext, opened shares and root token in one
// write, read back. It tries until the run's time is up and then for as long as a
// pod has to end; every failure is tried again, also a forbidden one, since somebody
// may mend it while we still hold the keys.
func (b *Bootstrap) deliver(ctx context.Context, entry spool.Entry) error {
	ctx, cancel := outlive(ctx, graceAfterEnd)
	defer cancel()
	backoff := retry.WithCappedDuration(2*time.Second, retry.NewExponential(50*time.Millisecond))
	var last error
	var logged time.Time
	tries := 0
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		before := last
		last = b.store(ctx, entry)
		if last == nil || errors.Is(last, errUnknownAttempt) {
			return last
		}
		tries++
		if before == nil || before.Error() != last.Error() || b.Now().Sub(logged) >= logAgain {
			logged = b.Now()
			b.Log.Error("the keys are not stored yet, trying again", "tries", tries, "error", last.Error(), "remedy", fault.RemedyOf(last))
		}
		return retry.RetryableError(last)
	})
	switch {
	case err == nil:
		point.Reach("initialize.stored")
		b.unspool(entry.Attempt)
		return nil
	case errors.Is(err, errUnknownAttempt):
		return fmt.Errorf("storing the keys: %w", err)
	default:
		return fault.Stop("keys not stored", fmt.Errorf("the keys could not be stored: %w", last),
			"They are not lost: they are spooled ("+b.spoolNames()+"), encrypted to a key that is in the keys record. Mend the store, then run again with the same spool, or give its content to 'vault-bootstrap keys recover'.")
	}
}

// errUnknownAttempt means that the attempt of an answer is not on record, nor known to this
// process.
var errUnknownAttempt = errors.New("the attempt that the answer belongs to is not on record")

// store keeps the answer in the attempt that it belongs to and, where no keys are stored
// yet, opens it and makes it the set in force, all in one compare-and-swap. No answer is
// refused: a process that was cut off may deliver after another one has made an attempt of
// its own, and which of the two opens this Vault only unsealing shows. It is not fenced,
// since the answer is the only copy of keys.
func (b *Bootstrap) store(ctx context.Context, entry spool.Entry) error {
	err := b.Records.Deliver(ctx, func(keys *store.Keys) error {
		attempt := b.attemptOf(keys, entry.Attempt)
		if attempt == nil {
			return errUnknownAttempt
		}
		if attempt.Status == store.AttemptStored && attempt.Answer == nil {
			return nil // it has done its service, and was dropped
		}
		attempt.Status = store.AttemptStored
		attempt.Answer = &store.Answer{
			Shares: entry.Shares, Root: entry.Root, Recovery: entry.Recovery, Threshold: entry.Threshold, Custody: entry.Custody,
		}
		if keys.Set != nil || attempt.Emptied != nil {
			return nil
		}
		set, root, err := b.open(*attempt, entry)
		if err != nil {
			return err
		}
		keys.Set, keys.Root = &set, &root
		return nil
	})
	if err != nil {
		return err
	}
	return b.readBack(ctx, entry)
}

// attemptOf returns the attempt on record. One that this process has made, and that is on
// record no longer since somebody removed the record or put an older one back, is put on
// record again: what we remember of it is all there is.
func (b *Bootstrap) attemptOf(keys *store.Keys, id string) *store.Attempt {
	if attempt := keys.AttemptOf(id); attempt != nil || b.attempt == nil || b.attempt.ID != id {
		return attempt
	}
	if keys.HashKey.Empty() {
		keys.HashKey = newSecret()
	}
	remembered := *b.attempt
	if keys.Attempt == nil {
		keys.Attempt = &remembered
		return keys.Attempt
	}
	keys.Past = append(keys.Past, remembered)
	return &keys.Past[len(keys.Past)-1]
}

// entryOf returns an attempt's answer on record as it was spooled.
func entryOf(attempt store.Attempt) spool.Entry {
	answer := attempt.Answer
	return spool.Entry{
		Attempt: attempt.ID, Shares: answer.Shares, Root: answer.Root,
		Recovery: answer.Recovery, Threshold: answer.Threshold, Custody: answer.Custody,
	}
}

// open decrypts an answer. Shares of custodians stay as they are.
func (b *Bootstrap) open(attempt store.Attempt, entry spool.Entry) (store.KeySet, store.Root, error) {
	token, err := pgp.Decrypt(attempt.PrivateKey, entry.Root)
	if err != nil {
		return store.KeySet{}, store.Root{}, fmt.Errorf("opening the root token: %w", err)
	}
	set := store.KeySet{Kind: store.UnsealKeys, Threshold: entry.Threshold, Created: b.Now().UTC(), Attempt: attempt.ID}
	if entry.Recovery {
		set.Kind = store.RecoveryKeys
	}
	if entry.Custody {
		set.Custody, err = b.custody(entry)
		return set, store.Root{Token: token}, err
	}
	for i, message := range entry.Shares {
		share, err := ceremony.OpenShare(attempt.PrivateKey, message)
		if err != nil {
			return store.KeySet{}, store.Root{}, fmt.Errorf("opening share %d of %d: %w", i+1, len(entry.Shares), err)
		}
		set.Shares = append(set.Shares, share)
	}
	return set, store.Root{Token: token}, nil
}

// custody names whose each encrypted share is.
func (b *Bootstrap) custody(entry spool.Entry) ([]store.CustodyShare, error) {
	owners := b.split(entry.Recovery).Custodians
	if len(owners) != len(entry.Shares) {
		return nil, fault.Misuse(fmt.Errorf("the answer holds %d shares of custodians, and %d PGP keys are given", len(entry.Shares), len(owners)),
			"Give the same --pgp-keys as in the run that initialized Vault.")
	}
	shares := make([]store.CustodyShare, len(owners))
	for i, owner := range owners {
		shares[i] = store.CustodyShare{Owner: owner.Owner, Fingerprint: owner.Fingerprint, Message: entry.Shares[i]}
	}
	return shares, nil
}

// readBack makes sure that what was stored can be read and is what was meant.
func (b *Bootstrap) readBack(ctx context.Context, entry spool.Entry) error {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored keys back: %w", err)
	}
	attempt := keys.AttemptOf(entry.Attempt)
	if attempt != nil && attempt.Status == store.AttemptStored && (attempt.Answer == nil || slices.Equal(attempt.Answer.Shares, entry.Shares)) {
		return nil
	}
	return errors.New("reading the stored keys back: they are not there, or differ")
}

// Recover stores a spooled answer that a person brings.
func (b *Bootstrap) Recover(ctx context.Context, text []byte) error {
	entry, err := spool.Find(text)
	if err != nil {
		return fault.Misuse(err, "Give the content of a .spool file, or the termination message of the pod that initialized Vault.")
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return err
	}
	if keys.AttemptOf(entry.Attempt) == nil {
		return fault.Stop(fsm.NameKeysLost, fmt.Errorf("the answer belongs to the attempt %q, which is not on record", entry.Attempt),
			"Look for the keys record of that attempt: --store, --name and --namespace say where we look. Its private key is what opens the answer.")
	}
	return b.deliver(ctx, entry)
}

// outlive returns a context that ends a while after ctx does, with the values of
// ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}
