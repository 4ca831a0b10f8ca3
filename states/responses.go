package states

import (
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// responses opens what Vault has answered to sys/init.
type responses struct {
	now func() time.Time
	// split is for a Vault with a Shamir seal, recovery for one with auto-unseal.
	split, recovery ceremony.KeySplit
}

// splitOf returns how to split the key of a Vault with or without auto-unseal.
func (r *responses) splitOf(recovery bool) ceremony.KeySplit {
	if recovery {
		return r.recovery
	}
	return r.split
}

// initRequest returns what to ask Vault for. Without custodians every share is
// encrypted to the attempt's own key.
func initRequest(split ceremony.KeySplit, recovery bool, ours string) vault.InitRequest {
	request := vault.InitRequest{Shares: split.Shares, Threshold: split.Threshold, Recovery: recovery, RootKey: ours}
	for i := range split.Shares {
		key := ours
		if len(split.Custodians) > 0 {
			key = split.Custodians[i].Key
		}
		request.ShareKeys = append(request.ShareKeys, key)
	}
	return request
}

// The lengths of what Vault encrypts: a share of 33 bytes in hex, and a token.
const (
	shareLength = 66
	tokenLength = 95
)

// answerSize returns how long the spooled answer will be, from messages of the same
// length to the same keys.
func answerSize(split ceremony.KeySplit, pair pgp.Pair) (int, error) {
	entry, err := sampleAnswer(split, pair)
	if err != nil {
		return 0, err
	}
	encoded, err := entry.Encode()
	return len(encoded), err
}

// sampleAnswer returns an answer of the size that Vault's will have.
func sampleAnswer(split ceremony.KeySplit, pair pgp.Pair) (spool.Entry, error) {
	entry := spool.Entry{Attempt: newID(), Threshold: split.Threshold, Custody: true, Recovery: true}
	var err error
	if entry.Root, err = pgp.Encrypt(pair.Public, strings.Repeat("x", tokenLength)); err != nil {
		return entry, err
	}
	for _, key := range initRequest(split, false, pair.Public).ShareKeys {
		message, err := pgp.Encrypt(key, strings.Repeat("0", shareLength))
		if err != nil {
			return entry, err
		}
		entry.Shares = append(entry.Shares, message)
	}
	return entry, nil
}

// entryOf returns an attempt's answer on record as it was spooled.
func entryOf(attempt store.Attempt) spool.Entry {
	answer := attempt.Answer
	return spool.Entry{
		Attempt: attempt.ID, Shares: answer.Shares, Root: answer.Root,
		Recovery: answer.Recovery, Threshold: answer.Threshold, Custody: answer.Custody,
	}
}

// otherAnswers returns the attempts with an answer on record that is not the set in force, and with
// the key that opens it, latest first.
func otherAnswers(keys store.Keys) []*store.Attempt {
	origin := keys.Origin()
	var others []*store.Attempt
	for _, attempt := range keys.Attempts() {
		if attempt.Answer != nil && !attempt.PrivateKey.Empty() && attempt.Emptied == nil && (origin == nil || attempt.ID != origin.ID) {
			others = append([]*store.Attempt{attempt}, others...)
		}
	}
	return others
}

// open decrypts an answer. Shares of custodians stay as they are.
func (r *responses) open(attempt store.Attempt, entry spool.Entry) (store.KeySet, store.Root, error) {
	token, err := pgp.Decrypt(attempt.PrivateKey, entry.Root)
	if err != nil {
		return store.KeySet{}, store.Root{}, fmt.Errorf("opening the root token: %w", err)
	}
	set := store.KeySet{Kind: store.UnsealKeys, Threshold: entry.Threshold, Created: r.now().UTC(), Attempt: attempt.ID}
	if entry.Recovery {
		set.Kind = store.RecoveryKeys
	}
	if entry.Custody {
		set.Custody, err = r.custody(entry)
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

// custody names the owner of each encrypted share.
func (r *responses) custody(entry spool.Entry) ([]store.CustodyShare, error) {
	owners := r.splitOf(entry.Recovery).Custodians
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
