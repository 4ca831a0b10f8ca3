// Package pgp generates and uses the keys to which Vault encrypts its answer to sys/init: a pair of
// our own for each attempt, and the public keys of operators.
//
// With them the answer is ciphertext from the start, and can be kept where a secret must not be.
// The package must not know Vault's API or where keys are kept.
package pgp

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Pair is a key pair of our own.
type Pair struct {
	// Public is the binary public key in base64, as sys/init takes it.
	Public string
	// Private is the binary private key in base64, without a passphrase: it is protected as the
	// keys record is.
	Private secret.Value
	// Fingerprint is hexadecimal.
	Fingerprint string
}

// config asks for EdDSA and ECDH on Curve25519, whose messages are short: a share
// is 284 base64 characters on Vault 1.21 and OpenBao 2.5. Both verify SHA-256.
func config(now time.Time) *packet.Config {
	return &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519,
		DefaultHash: crypto.SHA256, DefaultCipher: packet.CipherAES256,
		Time: func() time.Time { return now },
	}
}

// clockLead is how far the key's creation time is set back: Vault refuses a key from the future,
// and its clock may be behind ours.
const clockLead = 24 * time.Hour

// Generate returns a new pair called name. now is the current time.
func Generate(name string, now time.Time) (Pair, error) {
	settings := config(now.Add(-clockLead))
	entity, err := openpgp.NewEntity(name, "", "", settings)
	if err != nil {
		return Pair{}, fmt.Errorf("generating a PGP key pair: %w", err)
	}
	var public, private bytes.Buffer
	if err := entity.Serialize(&public); err != nil {
		return Pair{}, fmt.Errorf("writing the public PGP key: %w", err)
	}
	if err := entity.SerializePrivate(&private, settings); err != nil {
		return Pair{}, fmt.Errorf("writing the private PGP key: %w", err)
	}
	return Pair{
		Public:      base64.StdEncoding.EncodeToString(public.Bytes()),
		Private:     secret.New(base64.StdEncoding.EncodeToString(private.Bytes())),
		Fingerprint: hex.EncodeToString(entity.PrimaryKey.Fingerprint),
	}, nil
}

// Decrypt decrypts a base64 message with a pair's private key. Its errors reveal neither.
func Decrypt(private secret.Value, message string) (secret.Value, error) {
	raw, err := base64.StdEncoding.DecodeString(private.Reveal())
	if err != nil {
		return secret.Value{}, errors.New("the private PGP key is not base64")
	}
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(raw))
	if err != nil {
		return secret.Value{}, errors.New("the private PGP key cannot be read")
	}
	ciphertext, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		return secret.Value{}, errors.New("the PGP message is not base64")
	}
	details, err := openpgp.ReadMessage(bytes.NewReader(ciphertext), ring, nil, nil)
	if err != nil {
		return secret.Value{}, fmt.Errorf("opening a PGP message: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(details.UnverifiedBody, maxText))
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading a PGP message: %w", err)
	}
	return secret.New(string(text)), nil
}

// maxText bounds a decrypted message: a share or a token is below 200 bytes, a
// wrapped one below 2 KB.
const maxText = 64 << 10

// Encrypt encrypts text to a base64 public key and returns the message in base64.
func Encrypt(public, text string) (string, error) {
	entity, err := read(public)
	if err != nil {
		return "", err
	}
	var message bytes.Buffer
	writer, err := openpgp.Encrypt(&message, []*openpgp.Entity{entity}, nil, nil, nil)
	if err != nil {
		return "", fmt.Errorf("encrypting to a PGP key: %w", err)
	}
	if _, err := io.WriteString(writer, text); err != nil {
		return "", fmt.Errorf("encrypting to a PGP key: %w", err)
	}
	if err := writer.Close(); err != nil {
		return "", fmt.Errorf("encrypting to a PGP key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(message.Bytes()), nil
}

func read(public string) (*openpgp.Entity, error) {
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		return nil, errors.New("the public PGP key is not base64")
	}
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(raw))
	if err != nil || len(ring) != 1 {
		return nil, errors.New("the public PGP key cannot be read")
	}
	return ring[0], nil
}

// Public is an operator's public key.
type Public struct {
	// Key is the binary key in base64, as sys/init takes it.
	Key string
	// Fingerprint is hexadecimal.
	Fingerprint string
	// Owner is the key's user ID, empty if it has none.
	Owner string
}

// ReadPublic reads an operator's public key, armored, binary or in base64. It refuses a key that
// nobody could decrypt with, and one that should not be here.
func ReadPublic(content []byte, now time.Time) (Public, error) {
	entity, err := parse(content)
	if err != nil {
		return Public{}, err
	}
	if entity.PrivateKey != nil {
		return Public{}, errors.New("it is a private key: give the public key, and leave this one with its owner")
	}
	if entity.Revoked(now) {
		return Public{}, errors.New("the key is revoked")
	}
	if _, ok := entity.EncryptionKey(now); !ok {
		return Public{}, errors.New("the key cannot encrypt, or has expired")
	}
	var binary bytes.Buffer
	if err := entity.Serialize(&binary); err != nil {
		return Public{}, fmt.Errorf("writing the key: %w", err)
	}
	public := Public{
		Key:         base64.StdEncoding.EncodeToString(binary.Bytes()),
		Fingerprint: hex.EncodeToString(entity.PrimaryKey.Fingerprint),
	}
	if identity := entity.PrimaryIdentity(); identity != nil {
		public.Owner = identity.Name
	}
	return public, nil
}

func parse(content []byte) (*openpgp.Entity, error) {
	var source io.Reader = bytes.NewReader(content)
	trimmed := bytes.TrimSpace(content)
	if block, err := armor.Decode(bytes.NewReader(content)); err == nil {
		if block.Type == openpgp.PrivateKeyType {
			return nil, errors.New("it is a private key: give the public key, and leave this one with its owner")
		}
		source = block.Body
	} else if raw, err := base64.StdEncoding.DecodeString(string(trimmed)); err == nil {
		source = bytes.NewReader(raw)
	}
	ring, err := openpgp.ReadKeyRing(source)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not a PGP key: %w", err)
	case len(ring) != 1:
		return nil, fmt.Errorf("it holds %d keys: put each in a separate file", len(ring))
	}
	return ring[0], nil
}
