package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	encryption "github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// encryptedRecords are records whose keys are encrypted to an age recipient. They are read opened, so
// that the checks see the keys, and the search for secrets knows them.
type encryptedRecords struct {
	records
	codec           *encryption.Codec
	recipient, file string
	mu              sync.Mutex
	// raw holds what was stored, by what was read of it: it is put back as it was.
	raw map[string][]byte
}

// encrypt makes an identity in a directory, and returns records that are encrypted to it.
func encrypt(inner records, dir string) (*encryptedRecords, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	e := &encryptedRecords{records: inner, codec: encryption.New("vault-bootstrap"), recipient: "age:" + identity.Recipient().String(), file: filepath.Join(dir, "identity.txt"), raw: map[string][]byte{}}
	if err := os.WriteFile(e.file, []byte(identity.String()+"\n"), 0o600); err != nil {
		return nil, err
	}
	form, err := keyring.Parse(e.recipient)
	if err != nil {
		return nil, err
	}
	identities, err := agekey.ReadIdentities([]string{e.file}, nil)
	if err != nil {
		return nil, err
	}
	recipient, err := agekey.New(form, identities, nil)
	if err != nil {
		return nil, err
	}
	e.codec.Use(encryption.Ring{Recipients: []encryption.Recipient{recipient}, NoIdentity: keyring.NoIdentity, Now: time.Now})
	return e, nil
}

func (e *encryptedRecords) flags() []string {
	return append(e.records.flags(), "--keys-to="+e.recipient, "--keys-identity="+e.file)
}

// read opens the keys, and fails if they can be read without that.
func (e *encryptedRecords) read(ctx context.Context, record string) ([]byte, string, error) {
	stored, revision, err := e.records.read(ctx, record)
	if err != nil || record != "keys" || len(stored) == 0 {
		return stored, revision, err
	}
	keys, err := e.codec.Decode(ctx, stored, wire.Object{Name: "the keys record"})
	if err != nil {
		return nil, "", fmt.Errorf("opening the keys record: %w", err)
	}
	if keys.Sealing == nil && keys.Secret() {
		return nil, "", errors.New("the keys record is in clear")
	}
	opened, err := wire.EncodeKeys(keys)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.raw[string(opened)] = stored
	return opened, revision, err
}

func (e *encryptedRecords) putBack(ctx context.Context, record string, content []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if stored, known := e.raw[string(content)]; known && record == "keys" {
		content = stored
	}
	return e.records.putBack(ctx, record, content)
}
