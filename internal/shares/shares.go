// Package shares reads key shares and root tokens that others have stored: an operator in a file,
// the vault CLI as JSON, bank-vaults in a Secret.
//
// What it returns is well-formed, no more: only Vault knows whether shares unseal it. The package
// must not know Vault's API or where our own records are.
package shares

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Material is what was found. Shares are in base64.
type Material struct {
	// Unseal and Recovery are shares whose source says what they are.
	Unseal, Recovery []secret.Value
	// Plain are shares whose source does not.
	Plain []secret.Value
	// Root is a root token; empty if there was none.
	Root secret.Value
}

// Join returns what is in m or in other. The root token of m comes first.
func (m Material) Join(other Material) Material {
	joined := Material{
		Unseal:   slices.Concat(m.Unseal, other.Unseal),
		Recovery: slices.Concat(m.Recovery, other.Recovery),
		Plain:    slices.Concat(m.Plain, other.Plain),
		Root:     m.Root,
	}
	if joined.Root.Empty() {
		joined.Root = other.Root
	}
	return joined
}

// Empty reports whether there are no shares.
func (m Material) Empty() bool { return len(m.Unseal)+len(m.Recovery)+len(m.Plain) == 0 }

// For returns the shares for a Vault whose seal has unseal keys, or recovery keys, of which
// threshold are needed. It refuses what cannot be right.
func (m Material) For(recovery bool, threshold int) ([]secret.Value, error) {
	labelled, others, wanted, held := m.Unseal, m.Recovery, "unseal", "recovery"
	if recovery {
		labelled, others, wanted, held = m.Recovery, m.Unseal, "recovery", "unseal"
	}
	found := slices.Concat(labelled, m.Plain)
	if len(found) == 0 && len(others) > 0 {
		return nil, fmt.Errorf("these are %s keys, but this Vault's seal needs %s keys", held, wanted)
	}
	for i, share := range found {
		for j, other := range found[:i] {
			if share.Equal(other) {
				return nil, fmt.Errorf("share %d is the same as share %d", i+1, j+1)
			}
		}
	}
	if len(found) < threshold {
		return nil, fmt.Errorf("%d shares are given, and this Vault asks for %d", len(found), threshold)
	}
	return found, consistent(found, threshold)
}

// The lengths in bytes that Vault accepts: a key of 16 to 32 bytes, and one byte more if it is
// split.
const (
	minLength = 16
	maxLength = 33
)

var errMalformed = fmt.Errorf("it is not a key share: %d to %d bytes in base64 or hex", minLength, maxLength)

// decode reads a share as Vault does: hex of the right length counts as hex, although such a text
// could be base64 as well.
func decode(text string) ([]byte, error) {
	if raw, err := hex.DecodeString(text); err == nil && validLength(raw) {
		return raw, nil
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && validLength(raw) {
		return raw, nil
	}
	return nil, errMalformed
}

func validLength(raw []byte) bool { return len(raw) >= minLength && len(raw) <= maxLength }

// normalize returns shares in base64. The error for a malformed share does not reveal it.
func normalize(texts []string) ([]secret.Value, error) {
	var values []secret.Value
	for i, text := range texts {
		raw, err := decode(text)
		if err != nil {
			if len(text) > 4*maxLength {
				err = errors.Join(err, errors.New("it may be encrypted: decrypt it first, as its owner"))
			}
			return nil, fmt.Errorf("share %d of %d: %w", i+1, len(texts), err)
		}
		values = append(values, secret.New(base64.StdEncoding.EncodeToString(raw)))
	}
	return values, nil
}
