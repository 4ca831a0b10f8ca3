package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/recipients"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// DecryptOptions say how keys that another program has had encrypted are decrypted.
type DecryptOptions struct {
	// By is the key, written as a recipient; empty if nothing is encrypted.
	By string
	// Context is the encryption context, as NAME=VALUE.
	Context []string
}

// Opener returns a function that decrypts one of the keys; nil if nothing is encrypted.
func (o *DecryptOptions) Opener(ctx context.Context, env Lookup) (func(name string, content []byte) (secret.Value, error), error) {
	if o.By == "" {
		return nil, nil
	}
	form, err := keyring.Parse(o.By)
	if err != nil {
		return nil, fmt.Errorf("--keys-decrypt-by: %w", err)
	}
	if form.Kind != keyring.AWS && form.Kind != keyring.Google {
		return nil, fault.Misuse(fmt.Errorf("--keys-decrypt-by=%s: what other programs have had encrypted is decrypted by keys of AWS KMS and Google Cloud KMS only", form),
			"Write awskms:ARN or gcpkms:NAME. docs/moving-from-bank-vaults.md says how to get keys out of the other stores.")
	}
	about, err := o.about(form.Kind)
	if err != nil {
		return nil, err
	}
	means, err := (&RecipientOptions{}).means(env)
	if err != nil {
		return nil, err
	}
	recipient, err := recipients.Open(form, means)
	if err != nil {
		return nil, fmt.Errorf("--keys-decrypt-by: %w", err)
	}
	decrypter, ok := recipient.(keyring.Decrypter)
	if !ok {
		return nil, fmt.Errorf("the recipient %q does not decrypt", form)
	}
	return func(_ string, content []byte) (secret.Value, error) {
		return decrypter.Decrypt(ctx, content, about)
	}, nil
}

// about returns the encryption context for a kind of key: only AWS has one.
func (o *DecryptOptions) about(kind keyring.Kind) (keyring.Context, error) {
	if kind != keyring.AWS {
		return nil, nil
	}
	about := keyring.Context{}
	for _, each := range o.Context {
		if each == "" {
			continue
		}
		name, value, ok := strings.Cut(each, "=")
		if _, twice := about[name]; !ok || name == "" || twice {
			return nil, fault.Misuse(errors.New("--keys-decrypt-context: it is not of the form NAME=VALUE, or a name is given twice"), "Write --keys-decrypt-context=Tool=bank-vaults, and repeat the flag for each name.")
		}
		about[name] = value
	}
	return about, nil
}
