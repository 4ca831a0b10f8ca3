package wire

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"io"
)

// The ledger and the hashes grow with the seed: 10,000 objects are about 500 KiB, and a tenth of
// that compressed. Small ones stay readable.
const (
	// packAbove is the size, in bytes, above which they are compressed.
	packAbove = 16 << 10
	// unpackLimit bounds what a compressed ledger may become: a record that somebody
	// has tampered with must not fill the memory.
	unpackLimit = 256 << 20
)

// wireLedger is what grows with the seed.
type wireLedger struct {
	Ledger map[string]store.Ownership   `json:"ledger,omitempty"`
	Hashes map[string]map[string]string `json:"hashes,omitempty"`
}

// Pieces says where a packed ledger is if it does not fit into the record.
type Pieces struct {
	// Slot is one of two sets of Secrets, used in turn, so that what the record in force names is
	// never overwritten.
	Slot  string `json:"slot"`
	Count int    `json:"count"`
	// Digest is the SHA-256 of all pieces together, in hex.
	Digest string `json:"digest"`
}

// pack returns the ledger compressed, or nil if it is small.
func (l wireLedger) pack() ([]byte, error) {
	plain, err := json.Marshal(l)
	if err != nil || len(plain) <= packAbove {
		return nil, err
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("compressing the ledger: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing the ledger: %w", err)
	}
	return b.Bytes(), nil
}

// unpack is the inverse of pack.
func unpack(packed []byte, o Object) (wireLedger, error) {
	var l wireLedger
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return l, Corrupt(o, fmt.Errorf("its ledger: %w", err))
	}
	plain, err := io.ReadAll(io.LimitReader(r, unpackLimit+1))
	if err == nil && len(plain) > unpackLimit {
		err = errors.New("it is too large")
	}
	if err != nil {
		return l, Corrupt(o, fmt.Errorf("its ledger: %w", err))
	}
	if err := json.Unmarshal(plain, &l); err != nil {
		return l, Corrupt(o, fmt.Errorf("its ledger: %w", err))
	}
	return l, nil
}

// Digest is the SHA-256 of data, in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
