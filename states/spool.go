package states

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// The lengths of what Vault encrypts: a share of 33 bytes in hex, and a token.
const (
	shareLength = 66
	tokenLength = 95
)

// checkSpool proves, with an entry of the size that Vault's answer will have, that
// the answer can be spooled somewhere. A place that cannot take it is left out with
// a warning, as long as another can.
func (b *Bootstrap) checkSpool(ctx context.Context, pair pgp.Pair, split ceremony.KeySplit) error {
	size, err := answerSize(split, pair)
	if err != nil {
		return err
	}
	var usable []spool.Place
	var problems []error
	for _, place := range b.Spool {
		if err := place.Check(ctx, size); err != nil {
			problems = append(problems, err)
			b.Log.Warn("this place cannot take Vault's answer", "place", place.Name(), "error", err.Error())
			continue
		}
		usable = append(usable, place)
	}
	if len(usable) == 0 {
		return fault.Misuse(fmt.Errorf("there is no place to keep Vault's answer of %d bytes until it is stored: %w", size, errors.Join(problems...)),
			"Name a writable directory with --spool-dir.")
	}
	b.usable = usable
	return nil
}

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

// spool writes the answer to every place. A failure is told and does not stop the
// others: the answer is still in memory, and on its way to the store.
func (b *Bootstrap) spool(entry spool.Entry) {
	encoded, err := entry.Encode()
	if err != nil {
		b.Log.Error("the answer cannot be spooled", "error", err.Error())
		return
	}
	for _, place := range b.usable {
		if err := place.Write(entry.Attempt, encoded); err != nil {
			b.Log.Error("the answer is not spooled here", "place", place.Name(), "error", err.Error())
		}
	}
}

// unspool forgets an answer that is stored. What cannot be removed is ciphertext,
// and opens nothing once the attempt's key is dropped.
func (b *Bootstrap) unspool(attempt string) {
	for _, place := range b.Spool {
		if err := place.Remove(attempt); err != nil {
			b.Log.Warn("a spooled answer was not removed", "place", place.Name(), "error", err.Error())
		}
	}
}

func (b *Bootstrap) spoolNames() string {
	names := make([]string, 0, len(b.usable))
	for _, place := range b.usable {
		names = append(names, place.Name())
	}
	return strings.Join(names, ", ")
}
