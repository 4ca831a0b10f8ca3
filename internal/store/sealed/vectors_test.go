package sealed_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

var update = flag.Bool("update", false, "write the vectors that are missing")

// vector is a published record with the data key that opens it.
type vector struct {
	// DataKey is the data key in hex.
	DataKey string `json:"data_key"`
	// Record is the stored record, and Opened is what it says, in version 1.
	Record json.RawMessage `json:"record"`
	Opened json.RawMessage `json:"opened"`
}

// secondDecoder opens a record as docs/keys-record.md says, with nothing of ours: it is what somebody
// would write who has a record, the data key and that page.
func secondDecoder(record []byte, dataKey []byte) (map[string]any, error) {
	var d struct {
		Version int
		Name    string
		Header  map[string]any
		Sealing struct {
			DataKey    string `json:"data_key"`
			Generation int64
			Wraps      []struct{ Recipient string }
			Nonce, Box []byte
		}
	}
	if err := json.Unmarshal(record, &d); err != nil {
		return nil, err
	}
	if id := expand(dataKey, "vault-bootstrap/keys-record/2/id"); hex.EncodeToString(id) != d.Sealing.DataKey {
		return nil, fmt.Errorf("the data key has the ID %x, the record names %s", id, d.Sealing.DataKey)
	}
	cipher, err := chacha20poly1305.NewX(expand(dataKey, "vault-bootstrap/keys-record/2/box"))
	if err != nil {
		return nil, err
	}
	lines := []string{"keys record of vault-bootstrap", "2", d.Name, fmt.Sprint(d.Sealing.Generation), d.Sealing.DataKey, ""}
	plain, err := cipher.Open(nil, d.Sealing.Nonce, d.Sealing.Box, []byte(strings.Join(lines, "\n")))
	if err != nil {
		return nil, err
	}
	var box struct {
		Recipients []string
		Record     map[string]any
	}
	if err := json.Unmarshal(plain, &box); err != nil {
		return nil, err
	}
	for i, wrap := range d.Sealing.Wraps {
		if i >= len(box.Recipients) || box.Recipients[i] != wrap.Recipient {
			return nil, fmt.Errorf("the recipients are %v", box.Recipients)
		}
	}
	// What the box does not hold is that of the header.
	box.Record["epoch"] = d.Header["epoch"]
	take := func(from, to any) {
		if attempt, ok := to.(map[string]any); ok {
			for _, name := range []string{"status", "answer"} {
				if value, present := from.(map[string]any)[name]; present {
					attempt[name] = value
				}
			}
		}
	}
	take(d.Header["attempt"], box.Record["attempt"])
	if past, ok := box.Record["past"].([]any); ok {
		for i := range past {
			take(d.Header["past"].([]any)[i], past[i])
		}
	}
	return box.Record, nil
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

func vectors(t *testing.T) map[string]store.Keys {
	t.Helper()
	full := sample(t)
	return map[string]store.Keys{
		"full": full,
		"proven": {
			Epoch: 5, HashKey: secret.New("vector-hash-key"),
			Set: &store.KeySet{Kind: store.UnsealKeys, Shares: secret.Values([]string{"vector-share"}), Threshold: 1},
		},
		"intended": {
			Epoch: 3, HashKey: secret.New("vector-hash-key"),
			Attempt: &store.Attempt{ID: "a1", Holder: "pod/1", Epoch: 3, Status: store.AttemptOpen, Target: "https://vault-0:8200", PublicKey: "public", PrivateKey: secret.New("vector-private-key")},
		},
		"stored": {
			Epoch: 4, HashKey: secret.New("vector-hash-key"), Root: &store.Root{Token: secret.New("hvs.vector")},
			Attempt: &store.Attempt{ID: "a1", Status: store.AttemptStored, Answer: &store.Answer{Shares: []string{"message"}, Root: "root", Threshold: 1}, PrivateKey: secret.New("vector-private-key")},
			Set:     &store.KeySet{Kind: store.UnsealKeys, Shares: secret.Values([]string{"vector-share"}), Threshold: 1, Attempt: "a1"},
		},
	}
}

// TestVectors opens the published vectors with our decoder and with the other one. With -update it
// writes those that are missing: what is published stays as it was written.
func TestVectors(t *testing.T) {
	if *update {
		for name, keys := range vectors(t) {
			if _, err := os.Stat(vectorFile(name)); err != nil {
				writeVector(t, name, keys)
			}
		}
	}
	files, err := filepath.Glob("testdata/vector-*.json")
	check(t, err)
	if len(files) != len(vectors(t)) {
		t.Fatalf("there are %d vectors", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		var v vector
		check(t, json.Unmarshal(text, &v))
		key, err := hex.DecodeString(v.DataKey)
		check(t, err)
		var want map[string]any
		check(t, json.Unmarshal(v.Opened, &want))
		got, err := secondDecoder(v.Record, key)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the second decoder says %v, %v", file, got, err)
		}
		for _, secret := range []string{"secret-", "vector-", "hvs."} {
			if bytes.Contains(v.Record, []byte(secret)) {
				t.Errorf("%s: %q shows", file, secret)
			}
		}
		keys := decode(t, opener(storetest.NewRecipient("kms")), v.Record)
		ours, err := wire.EncodeKeys(keys)
		check(t, err)
		var tree map[string]any
		check(t, json.Unmarshal(ours, &tree))
		if !reflect.DeepEqual(tree, want) {
			t.Errorf("%s: our decoder says %v", file, tree)
		}
		// The other decoder also opens what is written today.
		c := opener(storetest.NewRecipient("kms"))
		decode(t, c, v.Record)
		if got, err := secondDecoder(encode(t, c, keys), key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s, written again: the second decoder says %v, %v", file, got, err)
		}
	}
}

func vectorFile(name string) string { return filepath.Join("testdata", "vector-"+name+".json") }

func writeVector(t *testing.T, name string, keys store.Keys) {
	t.Helper()
	kms := storetest.NewRecipient("kms")
	c := codec(t, kms, storetest.NewEscrow("safe"))
	v := vector{Record: encode(t, c, keys)}
	back := decode(t, c, v.Record)
	if name == "proven" { // somebody has tried the escrow later
		back.Sealing = back.Sealing.Proven([]string{"safe"}, provenAt)
		v.Record = encode(t, c, back)
	}
	key, err := kms.Unwrap(t.Context(), back.Sealing.Wraps[0].Wrapped, map[string]string{"vault-bootstrap-record": "x", "vault-bootstrap-data-key": back.Sealing.DataKey})
	check(t, err)
	v.DataKey = hex.EncodeToString([]byte(key.Reveal()))
	v.Opened, err = wire.EncodeKeys(keys)
	check(t, err)
	text, err := json.MarshalIndent(v, "", "  ")
	check(t, err)
	check(t, os.WriteFile(vectorFile(name), append(text, '\n'), 0o600))
}
