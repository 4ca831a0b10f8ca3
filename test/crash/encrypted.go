package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// person is somebody with an age identity.
type person struct {
	identity        *age.X25519Identity
	recipient, file string
}

func newPerson(dir, name string) (person, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return person{}, err
	}
	p := person{identity, "age:" + identity.Recipient().String(), filepath.Join(dir, name+".txt")}
	return p, os.WriteFile(p.file, []byte(identity.String()+"\n"), 0o600)
}

// encryptedRecords are records whose keys are encrypted. They are read opened, by a decoder that
// shares no code with the program, so that each look at them shows that they open, the checks see the
// keys, and the search for secrets knows them.
type encryptedRecords struct {
	records
	// given are the flags that name the recipients to the program.
	given []string
	// safe are those who can open the record whatever becomes of a KMS.
	safe []person

	mu sync.Mutex
	// raw holds what was stored, by what was read of it: it is put back as it was.
	raw map[string][]byte
	// wasClear is whether the record may still be in clear, as it was before it had recipients.
	wasClear bool
}

// encrypt returns records that are encrypted to a person, whose identity the program has.
func encrypt(inner records, dir string) (*encryptedRecords, error) {
	ours, err := newPerson(dir, "identity")
	if err != nil {
		return nil, err
	}
	return &encryptedRecords{records: inner, given: []string{"--keys-to=" + ours.recipient, "--keys-identity=" + ours.file}, safe: []person{ours}, raw: map[string][]byte{}}, nil
}

func (e *encryptedRecords) flags() []string { return append(e.records.flags(), e.given...) }

// read opens the keys, and fails if they can be read without that.
func (e *encryptedRecords) read(ctx context.Context, record string) ([]byte, string, error) {
	stored, revision, err := e.records.read(ctx, record)
	if err != nil || record != "keys" || len(stored) == 0 {
		return stored, revision, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !driver.Encrypted(stored) {
		keys, err := driver.ParseKeys(stored)
		if err == nil && !e.wasClear && (keys.Set != nil || keys.Attempt != nil || keys.Root != nil) {
			err = errors.New("the keys record is in clear")
		}
		return stored, revision, err
	}
	e.wasClear = false // and is never again
	var identities []age.Identity
	for _, each := range e.safe {
		identities = append(identities, each.identity)
	}
	opened, err := driver.OpenRecord(stored, identities...)
	if err != nil {
		return nil, "", &unopenedError{fmt.Errorf("opening the keys record: %w", err)}
	}
	e.raw[string(opened)] = stored
	return opened, revision, nil
}

func (e *encryptedRecords) putBack(ctx context.Context, record string, content []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if stored, known := e.raw[string(content)]; known && record == "keys" {
		content = stored
	}
	return e.records.putBack(ctx, record, content)
}
