package pgp_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestRoundTrip(t *testing.T) {
	pair, err := pgp.Generate("vault-bootstrap attempt x", now)
	if err != nil {
		t.Fatal(err)
	}
	const share = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01"
	message, err := pgp.Encrypt(pair.Public, share)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(message, share) {
		t.Fatal("the message is no ciphertext")
	}
	opened, err := pgp.Decrypt(pair.Private, message)
	if err != nil || opened.Reveal() != share {
		t.Errorf("opened to %d characters, %v", len(opened.Reveal()), err)
	}
	other, err := pgp.Generate("another", now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgp.Decrypt(other.Private, message); err == nil {
		t.Error("another key opened the message")
	}
	if pair.Fingerprint == other.Fingerprint || len(pair.Fingerprint) != 40 {
		t.Errorf("fingerprints %q and %q", pair.Fingerprint, other.Fingerprint)
	}
}

func TestDecryptErrorsShowNothing(t *testing.T) {
	pair, err := pgp.Generate("x", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"", "not base64!", base64.StdEncoding.EncodeToString([]byte("hvs.not-a-message"))} {
		if _, err := pgp.Decrypt(pair.Private, message); err == nil || message != "" && strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// keyOf makes a key as an operator's program would.
func keyOf(t *testing.T, settings *packet.Config) *openpgp.Entity {
	t.Helper()
	entity, err := openpgp.NewEntity("Ada", "", "ada@example.org", settings)
	if err != nil {
		t.Fatal(err)
	}
	return entity
}

func armored(t *testing.T, kind string, binary []byte) []byte {
	t.Helper()
	var text bytes.Buffer
	writer, err := armor.Encode(&text, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestReadPublic(t *testing.T) {
	entity := keyOf(t, &packet.Config{RSABits: 2048, Time: func() time.Time { return now }})
	var binary, binaryPrivate bytes.Buffer
	if err := entity.Serialize(&binary); err != nil {
		t.Fatal(err)
	}
	if err := entity.SerializePrivate(&binaryPrivate, nil); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"armored": armored(t, openpgp.PublicKeyType, binary.Bytes()),
		"binary":  binary.Bytes(),
		"base64":  []byte(base64.StdEncoding.EncodeToString(binary.Bytes()) + "\n"),
	} {
		key, err := pgp.ReadPublic(content, now.Add(time.Hour))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if key.Key != base64.StdEncoding.EncodeToString(binary.Bytes()) || !strings.Contains(key.Owner, "ada@example.org") || len(key.Fingerprint) != 40 {
			t.Errorf("%s: read as %q, %q", name, key.Owner, key.Fingerprint)
		}
	}

	expired := keyOf(t, &packet.Config{RSABits: 2048, KeyLifetimeSecs: 60, Time: func() time.Time { return now }})
	var expiredKey bytes.Buffer
	if err := expired.Serialize(&expiredKey); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		says    string
	}{
		"private, armored": {armored(t, openpgp.PrivateKeyType, binaryPrivate.Bytes()), "private key"},
		"private, binary":  {binaryPrivate.Bytes(), "private key"},
		"two keys":         {append(bytes.Clone(binary.Bytes()), binary.Bytes()...), "2 keys"},
		"expired":          {armored(t, openpgp.PublicKeyType, expiredKey.Bytes()), "expired"},
		"junk":             {[]byte("junk"), "not a PGP key"},
		"empty":            {nil, "keys"},
	} {
		if _, err := pgp.ReadPublic(test.content, now.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
