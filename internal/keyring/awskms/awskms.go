// Package awskms has keys of AWS KMS as recipients.
//
// A wrap is a checksum (8 bytes), and what KMS calls a ciphertext blob. The context is its encryption
// context, which AWS writes to CloudTrail. The package must not know where credentials come from.
package awskms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Access is how KMS is reached.
type Access struct {
	// Config returns AWS' settings for a region, with the credentials in them. It is asked for
	// each call, and may keep what it has. An error of it is NoCredential unless it has another
	// keyring.Reason in its chain.
	Config func(ctx context.Context, region string) (aws.Config, error)
	// Endpoint is the URL of KMS, such as that of a VPC endpoint; empty means the region's.
	Endpoint string
}

// Recipient is a symmetric key of AWS KMS, or an alias of one.
type Recipient struct {
	form   keyring.Form
	access Access
}

// New returns the recipient of a form of kind keyring.AWS. It asks nothing yet.
func New(form keyring.Form, access Access) *Recipient { return &Recipient{form, access} }

// What an error says was being done.
const (
	wrapping   = "wrapping the key"
	unwrapping = "unwrapping the key"
	decrypting = "decrypting"
)

// Name returns the recipient as it is written on the command line.
func (r *Recipient) Name() string { return r.form.String() }

// Wrap encrypts the key with kms:Encrypt. The version is the ID of the key, to which an alias may
// have led: KMS does not say which of a key's backing keys it used.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, version string, err error) {
	_, err = keyring.Canonical(about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.KeyUnsuitable, err, "This is a defect of this program: please report it.")
	}
	client, err := r.client(ctx, wrapping)
	if err != nil {
		return nil, "", err
	}
	answer, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &r.form.Key, Plaintext: []byte(key.Reveal()), EncryptionContext: about})
	if err != nil {
		return nil, "", r.failed(wrapping, err)
	}
	err = r.same(answer.KeyId)
	if err == nil && len(answer.CiphertextBlob) == 0 {
		err = errors.New("KMS answers without a ciphertext")
	}
	// With a key's ID in it, KMS could only say of a changed blob that we may not use another key.
	wrapped = keyring.Sum(answer.CiphertextBlob)
	if err == nil {
		err = keyring.CheckWrap(wrapped)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.Corrupted, err, remedies[keyring.Corrupted])
	}
	_, version, _ = strings.Cut(*answer.KeyId, ":key/")
	return wrapped, version, nil
}

// Unwrap decrypts the key with kms:Decrypt.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	blob, err := keyring.Summed(wrapped)
	if _, bad := keyring.Canonical(about); err == nil {
		err = errors.Join(keyring.CheckWrap(wrapped), bad)
	}
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	plain, err := r.decrypt(ctx, unwrapping, blob, about)
	if err != nil {
		return secret.Value{}, err
	}
	key := secret.New(string(plain))
	if err := keyring.CheckKey(key); err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.Corrupted, errors.New("KMS answers without a key"), remedies[keyring.Corrupted])
	}
	return key, nil
}

// Decrypt decrypts a ciphertext blob that another program has had, with its encryption context.
func (r *Recipient) Decrypt(ctx context.Context, ciphertext []byte, about keyring.Context) (secret.Value, error) {
	if err := keyring.CheckWrap(ciphertext); err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), decrypting, keyring.CannotDecrypt, err, notOfKey)
	}
	plain, err := r.decrypt(ctx, decrypting, ciphertext, about)
	return secret.New(string(plain)), err
}

// decrypt calls kms:Decrypt.
func (r *Recipient) decrypt(ctx context.Context, doing string, blob []byte, about keyring.Context) ([]byte, error) {
	client, err := r.client(ctx, doing)
	if err != nil {
		return nil, err
	}
	input := &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: about}
	if !r.alias() { // an alias may lead to another key by now; the blob names the one that it was
		input.KeyId = &r.form.Key
	}
	answer, err := client.Decrypt(ctx, input)
	if err != nil {
		return nil, r.failed(doing, err)
	}
	// Otherwise whoever can write the record could have a key of their own in it.
	if err := r.same(answer.KeyId); err != nil {
		return nil, keyring.Failed(r.Name(), doing, keyring.CannotDecrypt, err, remedyOf(doing, keyring.CannotDecrypt))
	}
	return answer.Plaintext, nil
}

// client returns a client with credentials that were just looked at, so that an error of theirs is
// not one of KMS.
func (r *Recipient) client(ctx context.Context, doing string) (*kms.Client, error) {
	settings, err := r.access.Config(ctx, r.form.Region)
	if err == nil && settings.Credentials == nil {
		err = errors.New("there are none")
	}
	if err == nil {
		_, err = settings.Credentials.Retrieve(ctx)
	}
	if err != nil {
		if reason := unauthenticated(err); reason != "" {
			return nil, keyring.Failed(r.Name(), doing, reason, err, remedies[reason])
		}
		return nil, keyring.Unauthenticated(r.Name(), doing, err, remedies[keyring.NoCredential])
	}
	return kms.NewFromConfig(settings, func(o *kms.Options) {
		o.Region = r.form.Region
		if r.access.Endpoint != "" {
			o.BaseEndpoint = &r.access.Endpoint
		}
	}), nil
}

func (r *Recipient) alias() bool { return strings.Contains(r.form.Key, ":alias/") }

// same refuses the answer of another key: with an alias, of one in another account or region.
func (r *Recipient) same(answered *string) error {
	got, want := aws.ToString(answered), r.form.Key
	if r.alias() {
		got, _, _ = strings.Cut(got, ":key/")
		want, _, _ = strings.Cut(want, ":alias/")
	}
	if got != want {
		return fmt.Errorf("the key is %q", aws.ToString(answered))
	}
	return nil
}
