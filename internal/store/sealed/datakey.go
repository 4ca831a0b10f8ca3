package sealed

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// The labels by which two keys are derived from a data key.
const (
	labelID  = "vault-bootstrap/keys-record/2/id"
	labelBox = "vault-bootstrap/keys-record/2/box"
)

// keySize is the size of a data key in bytes.
const keySize = 32

// newDataKey returns a random data key.
func newDataKey() secret.Value {
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // it never fails, by its documentation since Go 1.24
	return secret.New(string(key[:]))
}

// idOf returns the ID of a data key. It commits to the key, which the cipher does not: without it,
// one box could be made that opens with two keys.
func idOf(key secret.Value) (string, error) {
	if len(key.Reveal()) != keySize {
		return "", errors.New("it is not a data key")
	}
	id, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, labelID, sha256.Size)
	return hex.EncodeToString(id), err
}

// encrypt returns the box of plain, and the nonce, which is random: a write that is tried again
// must not use one twice.
func encrypt(key secret.Value, plain, additional []byte) (nonce, box []byte, err error) {
	derived, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, labelBox, chacha20poly1305.KeySize)
	if err != nil {
		return nil, nil, err
	}
	cipher, err := chacha20poly1305.NewX(derived)
	if err != nil {
		return nil, nil, err
	}
	nonce = make([]byte, cipher.NonceSize())
	_, _ = rand.Read(nonce)
	return nonce, cipher.Seal(nil, nonce, plain, additional), nil
}

// decrypt is the inverse of encrypt.
func decrypt(key secret.Value, nonce, box, additional []byte) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, labelBox, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	cipher, err := chacha20poly1305.NewX(derived)
	if err != nil {
		return nil, err
	}
	if len(nonce) != cipher.NonceSize() {
		return nil, errors.New("the nonce has another length")
	}
	return cipher.Open(nil, nonce, box, additional)
}
