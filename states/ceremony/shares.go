package ceremony

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// KeySplit says how to split the key of a new Vault.
type KeySplit struct {
	Shares, Threshold int
	// Custodians are the operators who each get one share that only they can decrypt; none if we
	// hold the shares ourselves. Their order is that of the shares.
	Custodians []pgp.Public
}

// AskShares asks custodians for as many key shares as needed.
type AskShares func(ctx context.Context, need ShareNeed) ([]secret.Value, error)

// ShareNeed says which shares are asked for.
type ShareNeed struct {
	// What names the shares ("unseal keys").
	What string
	// Count is how many are needed.
	Count int
	// Owners are those who hold them, if known.
	Owners []string
}

// collect returns as many shares as needed: ours, or those of custodians.
func collect(ctx context.Context, set store.KeySet, needed int, ask AskShares) ([]secret.Value, error) {
	if needed == 0 {
		needed = set.Threshold
	}
	if len(set.Shares) >= needed {
		return set.Shares[:needed], nil
	}
	need := ShareNeed{What: string(set.Kind) + " keys", Count: needed}
	for _, share := range set.Custody {
		need.Owners = append(need.Owners, ownerOf(share))
	}
	if ask == nil {
		return nil, fault.Misuse(fmt.Errorf("%d %s are needed, and their owners hold them", needed, need.What), "Give them with --shares-file, or on standard input.")
	}
	return ask(ctx, need)
}

func ownerOf(share store.CustodyShare) string {
	if share.Owner == "" {
		return share.Fingerprint
	}
	return share.Owner
}

// OpenShare decrypts a share, whose plaintext is hex, and returns it in base64, the form in which
// Vault returns unencrypted shares.
func OpenShare(private secret.Value, message string) (secret.Value, error) {
	text, err := pgp.Decrypt(private, message)
	if err != nil {
		return secret.Value{}, err
	}
	raw, err := hex.DecodeString(text.Reveal())
	if err != nil {
		return secret.Value{}, errors.New("the decrypted share is not hexadecimal")
	}
	return secret.New(base64.StdEncoding.EncodeToString(raw)), nil
}

// HoldsShares reports whether we hold the shares of a set that may be in force.
func HoldsShares(keys store.Keys) bool {
	return slices.ContainsFunc(Candidates(keys), func(set store.KeySet) bool { return len(set.Shares) > 0 })
}

// Candidates returns the sets of which one is in force: the marked one first, then that of the
// rotation on record, then those that earlier rotations left in doubt.
func Candidates(keys store.Keys) []store.KeySet {
	sets := []store.KeySet{*keys.Set}
	if keys.Rotation == nil {
		return sets
	}
	if keys.Rotation.Set != nil {
		sets = append(sets, *keys.Rotation.Set)
	}
	return append(sets, keys.Rotation.Rivals...)
}

// CustodyOf returns the shares that custodians hold, of all sets that may be in force.
func CustodyOf(keys store.Keys) store.KeySet {
	held := *keys.Set
	held.Shares, held.Custody = nil, nil
	for _, set := range Candidates(keys) {
		held.Custody = append(held.Custody, set.Custody...)
	}
	return held
}

// setToGive returns the set whose shares to give to Vault: ours if we hold those in force,
// otherwise the shares of custodians, of every set that may be in force.
func setToGive(keys store.Keys) store.KeySet {
	if keys.Rotation == nil || len(keys.Set.Shares) > 0 {
		return *keys.Set
	}
	return CustodyOf(keys)
}

// PutAway keeps sets as old ones, each under its own date, and returns the dates.
func PutAway(keys *store.Keys, now time.Time, sets ...store.KeySet) []string {
	if keys.Old == nil {
		keys.Old = map[string]store.KeySet{}
	}
	dates := make([]string, 0, len(sets))
	for _, set := range sets {
		date := freeDate(keys.Old, now)
		keys.Old[date] = set
		dates = append(dates, date)
	}
	return dates
}

func freeDate(old map[string]store.KeySet, now time.Time) string {
	for ; ; now = now.Add(time.Nanosecond) {
		date := now.UTC().Format(time.RFC3339Nano)
		if _, taken := old[date]; !taken {
			return date
		}
	}
}
