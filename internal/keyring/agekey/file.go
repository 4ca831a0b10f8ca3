package agekey

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// maxFile bounds the content of a file, in bytes.
const maxFile = 4 << 20

// EncryptFile returns content as an age file that each of the recipients opens, with the age program
// as well. They must be of kind keyring.Age.
func EncryptFile(content secret.Value, to []keyring.Form, person Person) ([]byte, error) {
	var recipients []age.Recipient
	for _, form := range to {
		if form.Kind != keyring.Age {
			return nil, fault.Misuse(fmt.Errorf("%s cannot open a file of age", form), "Name a recipient age:RECIPIENT.")
		}
		recipient, err := parse(form.Key, person)
		if err != nil {
			return nil, fault.Misuse(fmt.Errorf("the recipient %q: %w", form, err), "Copy the recipient again, as age-keygen has printed it as the public key.")
		}
		recipients = append(recipients, recipient)
	}
	var file bytes.Buffer
	in, err := age.Encrypt(&file, recipients...)
	if err == nil {
		_, err = io.WriteString(in, content.Reveal())
	}
	if err == nil {
		err = in.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypting with age: %w", err)
	}
	return file.Bytes(), nil
}

// DecryptFile returns the content of an age file that one of the identities opens.
func (i *Identities) DecryptFile(file []byte) (secret.Value, error) {
	if i == nil || len(i.all) == 0 {
		return secret.Value{}, fault.Misuse(errors.New("no identity is given"), "Name the file with an identity that opens it with --keys-identity.")
	}
	reader, err := age.Decrypt(bytes.NewReader(file), i.all...)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("it does not open: %w", err), "Give a file that 'keys export' has written, and the identity of one of its recipients with --keys-identity.")
	}
	content, err := io.ReadAll(io.LimitReader(reader, maxFile))
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("it was damaged: %w", err), "Give another copy of it.")
	}
	return secret.New(string(content)), nil
}
