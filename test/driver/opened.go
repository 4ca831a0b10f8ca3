package driver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// encryptedRecord is a keys record in version 2, as docs/keys-record.md says.
type encryptedRecord struct {
	Version int
	Name    string
	Header  map[string]any
	Sealing struct {
		DataKey    string `json:"data_key"`
		Generation int64
		Wraps      []struct {
			Recipient string
			Wrapped   []byte
		}
		Nonce, Box []byte
	}
}

// Encrypted reports whether a keys record is encrypted.
func Encrypted(record []byte) bool {
	var found encryptedRecord
	return json.Unmarshal(record, &found) == nil && found.Version == 2
}

// OpenRecord opens an encrypted keys record with an identity of age, and returns it in version 1. It
// shares no code with the program: it is what somebody would write who has the record, the identity
// and docs/keys-record.md.
func OpenRecord(record []byte, identities ...age.Identity) ([]byte, error) {
	var found encryptedRecord
	if err := json.Unmarshal(record, &found); err != nil {
		return nil, err
	}
	if found.Version != 2 {
		return nil, fmt.Errorf("it has version %d", found.Version)
	}
	key, err := found.dataKey(identities)
	if err != nil {
		return nil, err
	}
	plain, err := found.box(key)
	if err != nil {
		return nil, fmt.Errorf("decrypting the box: %w", err)
	}
	var box struct {
		Recipients []string
		Record     map[string]any
	}
	if err := json.Unmarshal(plain, &box); err != nil {
		return nil, err
	}
	var present []string
	for _, wrap := range found.Sealing.Wraps {
		present = append(present, wrap.Recipient)
	}
	if !slices.Equal(present, box.Recipients) {
		return nil, fmt.Errorf("the wraps are of %v, and the box names %v", present, box.Recipients)
	}
	// What may change without the data key is that of the header.
	box.Record["epoch"] = found.Header["epoch"]
	takeAnswer(box.Record["attempt"], found.Header["attempt"])
	past, _ := box.Record["past"].([]any)
	others, _ := found.Header["past"].([]any)
	if len(past) != len(others) {
		return nil, errors.New("header and box hold different attempts")
	}
	for i := range past {
		takeAnswer(past[i], others[i])
	}
	return json.Marshal(box.Record)
}

// OpenedFor returns a function that opens keys records as OpenRecord does, with the identities in a
// file, so that the suite knows the secrets in them; nothing for one that does not open, which fails
// the test.
func OpenedFor(t *testing.T, file string) func(record []byte) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return func(record []byte) []byte {
		opened, err := OpenRecord(record, identities...)
		if err != nil {
			t.Errorf("the record does not open: %v", err)
			return nil
		}
		return opened
	}
}

// takeAnswer gives an attempt the status and the answer that the header has.
func takeAnswer(to, from any) {
	attempt, ok := to.(map[string]any)
	header, known := from.(map[string]any)
	if !ok || !known {
		return
	}
	for _, name := range []string{"status", "answer"} {
		if value, present := header[name]; present {
			attempt[name] = value
		}
	}
}

// dataKey returns the data key from the first wrap that an identity opens. What age has encrypted is
// a digest of what the wrap belongs to, and the key after it.
func (r *encryptedRecord) dataKey(identities []age.Identity) ([]byte, error) {
	errs := []error{errors.New("no identity opens a wrap")}
	for _, wrap := range r.Sealing.Wraps {
		if !strings.HasPrefix(wrap.Recipient, "age:") {
			continue
		}
		content, err := age.Decrypt(bytes.NewReader(wrap.Wrapped), identities...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		bound, err := io.ReadAll(content)
		if err != nil {
			return nil, err
		}
		if len(bound) != 2*sha256.Size {
			return nil, fmt.Errorf("the wrap of %s holds %d bytes", wrap.Recipient, len(bound))
		}
		key := bound[sha256.Size:]
		if id := hex.EncodeToString(expand(key, "vault-bootstrap/keys-record/2/id")); id != r.Sealing.DataKey {
			return nil, fmt.Errorf("the wrap of %s holds the data key %s, the record names %s", wrap.Recipient, id, r.Sealing.DataKey)
		}
		return key, nil
	}
	return nil, errors.Join(errs...)
}

func (r *encryptedRecord) box(key []byte) ([]byte, error) {
	cipher, err := chacha20poly1305.NewX(expand(key, "vault-bootstrap/keys-record/2/box"))
	if err != nil {
		return nil, err
	}
	if len(r.Sealing.Nonce) != cipher.NonceSize() {
		return nil, fmt.Errorf("the nonce has %d bytes", len(r.Sealing.Nonce))
	}
	lines := []string{"keys record of vault-bootstrap", "2", r.Name, fmt.Sprint(r.Sealing.Generation), r.Sealing.DataKey, ""}
	return cipher.Open(nil, r.Sealing.Nonce, r.Sealing.Box, []byte(strings.Join(lines, "\n")))
}

// expand is HKDF-SHA256 (RFC 5869) without salt, for one block.
func expand(key []byte, label string) []byte {
	sum := func(key, text []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(text)
		return mac.Sum(nil)
	}
	return sum(sum(make([]byte, sha256.Size), key), append([]byte(label), 1))
}
