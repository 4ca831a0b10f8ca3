// Package kmsplugin has whatever is behind a KMS plugin of Kubernetes as a recipient: the plugins of
// clouds, and of HSMs by PKCS#11. It speaks the plugins' protocol (KMS v2, gRPC) over a socket.
//
// A wrap is a checksum (8 bytes), and the message with which the plugin has answered. The protocol
// has no additional data, so the digest of the context is encrypted in front of the key. The package
// must not know what a plugin does.
package kmsplugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Recipient is a plugin.
type Recipient struct {
	form keyring.Form
	connection
}

// New returns the recipient of a form of kind keyring.KMSPlugin. It connects when it is used, and
// again when the plugin has restarted.
func New(form keyring.Form) *Recipient { return &Recipient{form, dial(form.Server)} }

// Name returns the recipient as it is written on the command line.
func (r *Recipient) Name() string { return r.form.String() }

// What an error says was being done.
const (
	wrapping   = "wrapping the key"
	unwrapping = "unwrapping the key"
)

// Wrap encrypts the key. The version is what the plugin calls the key's ID.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, version string, err error) {
	bound, err := keyring.Bind(key, about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.KeyUnsuitable, err, "This is a defect of this program: please report it.")
	}
	answer, err := r.call(ctx, "Encrypt", write(field{encryptPlaintext, []byte(bound.Reveal())}, field{encryptUID, uid()}))
	if err != nil {
		return nil, "", r.failed(ctx, wrapping, err, key, bound)
	}
	fields, err := read(answer)
	if ciphertext := last(fields, encryptedCiphertext); err == nil && (len(ciphertext) == 0 || len(last(fields, encryptedKeyID)) == 0) {
		err = errors.New("there is no ciphertext or no key's ID in the answer")
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.Corrupted, err, remedies[keyring.Corrupted])
	}
	wrapped = keyring.Sum(answer)
	if err := keyring.CheckWrap(wrapped); err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.KeyUnsuitable, err, "The plugin adds more to a key than we store. Use another plugin.")
	}
	return wrapped, keyring.Said(string(last(fields, encryptedKeyID))), nil
}

// uid returns an ID for a call, which plugins write to their logs.
func uid() []byte { return []byte(rand.Text()) }

// Unwrap decrypts the key.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	answer, err := keyring.Summed(wrapped)
	if err == nil {
		err = keyring.CheckWrap(wrapped)
	}
	fields, malformed := read(answer)
	if err == nil {
		err = malformed
	}
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	ask := []field{{decryptCiphertext, last(fields, encryptedCiphertext)}, {decryptUID, uid()}, {decryptKeyID, last(fields, encryptedKeyID)}}
	for _, f := range fields {
		if f.number == encryptedAnnotations { // an entry of a map is the same in both messages
			ask = append(ask, field{decryptAnnotations, f.content})
		}
	}
	response, err := r.call(ctx, "Decrypt", write(ask...))
	if err != nil {
		return secret.Value{}, r.failed(ctx, unwrapping, err)
	}
	decrypted, err := read(response)
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.Corrupted, err, remedies[keyring.Corrupted])
	}
	key, err := keyring.Unbind(secret.New(string(last(decrypted, decryptedPlaintext))), about)
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	return key, nil
}

// healthy asks the plugin how it is.
func (r *Recipient) healthy(ctx context.Context) error {
	answer, err := r.call(ctx, "Status", nil)
	if err != nil {
		return err
	}
	fields, err := read(answer)
	if err != nil {
		return err
	}
	if version := string(last(fields, statusVersion)); version != "v2" && version != "v2beta1" {
		return fmt.Errorf("it speaks version %q of the protocol", keyring.Said(version))
	}
	if health := string(last(fields, statusHealthz)); health != "ok" {
		return fmt.Errorf("it says of itself %q", keyring.Said(health))
	}
	return nil
}
