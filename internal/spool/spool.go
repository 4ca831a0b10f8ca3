// Package spool keeps Vault's answer to sys/init between its arrival and its storage in the keys
// record.
//
// What is spooled is ciphertext, readable only with a private key that is in the store already, so
// that it may be kept where a secret must not be: in a local file, which survives a restart of the
// container, and in the container's termination message, which survives in the Pod until that is
// deleted. The package must not know Vault or the store.
package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Entry is one init response, encrypted.
type Entry struct {
	// Attempt is the ID of the attempt whose key decrypts it.
	Attempt string `json:"attempt"`
	// Shares and Root are base64 PGP messages.
	Shares []string `json:"shares"`
	Root   string   `json:"root"`
	// Recovery and Threshold say what the shares are.
	Recovery  bool `json:"recovery,omitempty"`
	Threshold int  `json:"threshold"`
	// Custody is set if the shares are encrypted to operators' keys, not to the attempt's.
	Custody bool `json:"custody,omitempty"`
}

// mark begins every encoded entry, so that one can be found in a log, a
// termination message or whatever a person pastes.
const mark = "vault-bootstrap-spool/1 "

// Encode returns the entry as one line of text.
func (e Entry) Encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the spool: %w", err)
	}
	return append([]byte(mark), append(body, '\n')...), nil
}

// ErrNone means that a text contains no entry.
var ErrNone = errors.New("no spooled init response found")

// Find returns the first entry in text, wherever it starts.
func Find(text []byte) (Entry, error) {
	at := bytes.Index(text, []byte(mark))
	if at < 0 {
		return Entry{}, ErrNone
	}
	var entry Entry
	decoder := json.NewDecoder(bytes.NewReader(text[at+len(mark):]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&entry); err != nil {
		return Entry{}, fmt.Errorf("the spooled init response is truncated or damaged: %w", err)
	}
	return entry, entry.check()
}

func (e Entry) check() error {
	switch {
	case e.Attempt == "" || strings.ContainsAny(e.Attempt, "/\\"):
		return errors.New("the spooled init response names no attempt")
	case e.Recovery && !e.Custody && len(e.Shares) == 0 && e.Threshold == 0:
		return nil // a server without recovery keys
	case len(e.Shares) == 0 || e.Threshold < 1 || e.Threshold > len(e.Shares):
		return errors.New("the spooled init response has no usable set of shares")
	}
	return nil
}
