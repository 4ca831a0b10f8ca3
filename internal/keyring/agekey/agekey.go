// Package agekey has the keys of people as recipients: those of age (filippo.io/age), native ones
// and those of its plugins, such as for a YubiKey or a TPM.
//
// A wrap is an age file in age's binary format. In it are 32 bytes, the SHA-256 of the context, and
// then the key, so that the age program opens it as well. The package must not know where identities
// come from, other than from files.
package agekey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"filippo.io/age/tag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Recipient is a recipient of age. Without an identity for it, it only wraps: it is an escrow.
type Recipient struct {
	form       keyring.Form
	to         age.Recipient
	identities *Identities
}

// New returns the recipient of a form of kind keyring.Age. identities may be nil, and may be of
// others as well.
func New(form keyring.Form, identities *Identities, person Person) (*Recipient, error) {
	to, err := parse(form.Key, person)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("the recipient %q: %w", form, err), "Copy the recipient again, as age-keygen has printed it as the public key.")
	}
	return &Recipient{form: form, to: to, identities: identities}, nil
}

// parse reads a recipient. A plugin is not started yet.
func parse(text string, person Person) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(text, "age1pq1"):
		return age.ParseHybridRecipient(text)
	case tagged(text):
		return tag.ParseRecipient(text)
	case pluginOf(text) != "":
		return plugin.NewRecipient(text, ui(person))
	}
	return age.ParseX25519Recipient(text)
}

// tagged reports whether a recipient is one for hardware that age encrypts to by itself. Only the
// identity for it needs a plugin, and any may have it.
func tagged(recipient string) bool {
	return strings.HasPrefix(recipient, "age1tag1") || strings.HasPrefix(recipient, "age1tagpq1")
}

// byPlugin finds what age v1.3 puts before what a plugin says.
var byPlugin = regexp.MustCompile(`^[a-z0-9+._-]+ plugin: `)

// pluginOf returns the name of the plugin that a recipient is of, "" if it is a native one.
func pluginOf(recipient string) string {
	name, _, err := plugin.ParseRecipient(recipient)
	if err != nil || name == "pq" {
		return ""
	}
	return name
}

// Name returns the recipient as it is written on the command line.
func (r *Recipient) Name() string { return r.form.String() }

// Wrap encrypts the key to the recipient. The version is empty: there is one key.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, version string, err error) {
	bound, err := keyring.Bind(key, about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err == nil {
		wrapped, err = r.within(ctx, func() ([]byte, error) { return encrypt(r.to, bound) })
	}
	if err != nil {
		return nil, "", r.failed("wrapping the key", err)
	}
	return wrapped, "", nil
}

func encrypt(to age.Recipient, bound secret.Value) ([]byte, error) {
	var file bytes.Buffer
	in, err := age.Encrypt(&file, to)
	if err == nil {
		_, err = io.WriteString(in, bound.Reveal())
	}
	if err == nil {
		err = in.Close()
	}
	return file.Bytes(), err
}

// Unwrap decrypts the key with the first of our identities that fits.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	const doing = "unwrapping the key"
	if err := keyring.CheckWrap(wrapped); err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.CannotDecrypt, err, damaged)
	}
	if !r.identities.MayOpen(r.form.Key) {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.NoIdentity, nil, "Name the file with its identity with --keys-identity, on the machine of who keeps it.")
	}
	content, err := r.within(ctx, func() ([]byte, error) { return decrypt(wrapped, r.identities.all) })
	if err != nil {
		return secret.Value{}, r.failed(doing, err)
	}
	key, err := keyring.Unbind(secret.New(string(content)), about)
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.CannotDecrypt, err, damaged)
	}
	return key, nil
}

func decrypt(wrapped []byte, identities []age.Identity) ([]byte, error) {
	content, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(content, keyring.MaxWrap))
}

// within ends with ctx what may wait for a person or a device. A plugin that does not end by itself
// is left to end with the process: age's library gives no hold on it.
func (r *Recipient) within(ctx context.Context, do func() ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		content []byte
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := do()
		done <- result{content, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-done:
		return got.content, got.err
	}
}

const damaged = "The wrap was changed, or belongs to another record. Restore the record from a backup, or open it with another of its recipients."

// failed classifies an error of age.
func (r *Recipient) failed(doing string, err error) error {
	_, missing := errors.AsType[*plugin.NotFoundError](err)
	_, none := errors.AsType[*age.NoIdentityMatchError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return keyring.Failed(r.Name(), doing, keyring.Unreachable, err, "Plug in the device, touch it or enter its PIN in time, and try again.")
	case missing:
		return keyring.Failed(r.Name(), doing, keyring.NoIdentity, err, "Install age's plugin, or run this where it is: the container image has no plugins.")
	case none && pluginOf(r.form.Key) != "", byPlugin.MatchString(err.Error()):
		return keyring.Failed(r.Name(), doing, keyring.NoIdentity, err, "Check that the identity of --keys-identity is this recipient's, that its device is there, and its PIN.")
	case doing == "wrapping the key":
		return keyring.Failed(r.Name(), doing, keyring.KeyUnsuitable, err, "Check the recipient, and with a plugin that its device is there.")
	}
	return keyring.Failed(r.Name(), doing, keyring.CannotDecrypt, err, damaged)
}
