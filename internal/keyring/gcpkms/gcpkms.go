// Package gcpkms has keys of Google Cloud KMS as recipients, by its REST API.
//
// A wrap is the ciphertext of KMS. The context is its additional authenticated data. Checksums
// (CRC32C) go both ways, as Google asks of those who cannot afford to lose what they encrypt. The
// package must not know where tokens come from.
package gcpkms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/rest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Access is how KMS is reached.
type Access struct {
	// Token returns an access token with the scope cloud-platform or cloudkms. It is asked for
	// each call, and may keep what it has. An error of it is NoCredential unless it has another
	// keyring.Reason in its chain.
	Token func(ctx context.Context) (secret.Value, error)
	// Endpoint is the URL of KMS; empty means https://cloudkms.googleapis.com.
	Endpoint string
	// Client sends the requests, and must not follow redirects; nil means rest.NewClient.
	Client *http.Client
}

// Recipient is a symmetric key of Google Cloud KMS.
type Recipient struct {
	form   keyring.Form
	access Access
}

// defaultEndpoint serves all locations.
const defaultEndpoint = "https://cloudkms.googleapis.com"

// New returns the recipient of a form of kind keyring.Google. It asks nothing yet.
func New(form keyring.Form, access Access) *Recipient {
	if access.Endpoint == "" {
		access.Endpoint = defaultEndpoint
	}
	if access.Client == nil {
		access.Client = rest.NewClient()
	}
	return &Recipient{form, access}
}

// Name returns the recipient as it is written on the command line.
func (r *Recipient) Name() string { return r.form.String() }

// What an error says was being done.
const (
	wrapping   = "wrapping the key"
	unwrapping = "unwrapping the key"
	decrypting = "decrypting"
)

// request and response are those of both methods. In JSON, bytes are base64, and checksums are
// decimal numbers in quotes.
type request struct {
	Plaintext      []byte `json:"plaintext,omitempty"`
	PlaintextSum   string `json:"plaintextCrc32c,omitempty"`
	Ciphertext     []byte `json:"ciphertext,omitempty"`
	CiphertextSum  string `json:"ciphertextCrc32c,omitempty"`
	AdditionalData []byte `json:"additionalAuthenticatedData,omitempty"`
	AdditionalSum  string `json:"additionalAuthenticatedDataCrc32c,omitempty"`
}

type response struct {
	Name               string      `json:"name"`
	Ciphertext         []byte      `json:"ciphertext"`
	CiphertextSum      json.Number `json:"ciphertextCrc32c"`
	Plaintext          []byte      `json:"plaintext"`
	PlaintextSum       json.Number `json:"plaintextCrc32c"`
	VerifiedPlaintext  bool        `json:"verifiedPlaintextCrc32c"`
	VerifiedAdditional bool        `json:"verifiedAdditionalAuthenticatedDataCrc32c"`
}

// Wrap encrypts the key with the primary version of the KMS key, and returns its number.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, version string, err error) {
	additional, err := keyring.Canonical(about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.KeyUnsuitable, err, "This is a defect of this program: please report it.")
	}
	plain := []byte(key.Reveal())
	answer, err := r.call(ctx, wrapping, "encrypt", request{Plaintext: plain, PlaintextSum: sum(plain)}, additional)
	if err != nil {
		return nil, "", err
	}
	version, ours := strings.CutPrefix(answer.Name, r.form.Key+"/cryptoKeyVersions/")
	var wrong error
	switch {
	case !answer.VerifiedPlaintext || len(additional) > 0 && !answer.VerifiedAdditional:
		wrong = errors.New("KMS did not check what it got")
	case keyring.CheckWrap(answer.Ciphertext) != nil || answer.CiphertextSum.String() != sum(answer.Ciphertext):
		wrong = errors.New("the checksum of the ciphertext is not its own")
	case !ours:
		wrong = fmt.Errorf("KMS has used the key %q", keyring.Said(answer.Name))
	}
	if wrong != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.Corrupted, wrong, remedies[keyring.Corrupted])
	}
	return answer.Ciphertext, version, nil
}

// Unwrap decrypts the key with the version that it was encrypted with.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	additional, err := keyring.Canonical(about)
	if err == nil {
		err = keyring.CheckWrap(wrapped)
	}
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	key, err := r.decrypt(ctx, unwrapping, wrapped, additional)
	if err == nil && keyring.CheckKey(key) != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.Corrupted, errors.New("KMS answers without a key"), remedies[keyring.Corrupted])
	}
	return key, err
}

// Decrypt decrypts what another program has had encrypted. about must be empty: how others write
// additional data is not known.
func (r *Recipient) Decrypt(ctx context.Context, ciphertext []byte, about keyring.Context) (secret.Value, error) {
	err := keyring.CheckWrap(ciphertext)
	if err == nil && len(about) > 0 {
		err = errors.New("a context is not for a key of Google Cloud KMS")
	}
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), decrypting, keyring.CannotDecrypt, err, remedyOf(decrypting, keyring.CannotDecrypt))
	}
	return r.decrypt(ctx, decrypting, ciphertext, nil)
}

func (r *Recipient) decrypt(ctx context.Context, doing string, ciphertext, additional []byte) (secret.Value, error) {
	answer, err := r.call(ctx, doing, "decrypt", request{Ciphertext: ciphertext, CiphertextSum: sum(ciphertext)}, additional)
	if err != nil {
		return secret.Value{}, err
	}
	if answer.PlaintextSum.String() != sum(answer.Plaintext) {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.Corrupted, errors.New("the checksum of the answer is not its own"), remedies[keyring.Corrupted])
	}
	return secret.New(string(answer.Plaintext)), nil
}

// castagnoli is the polynomial of CRC32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum returns a checksum as KMS writes it.
func sum(content []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(content, castagnoli)), 10)
}

func (r *Recipient) call(ctx context.Context, doing, method string, ask request, additional []byte) (response, error) {
	token, err := r.access.Token(ctx)
	if err != nil {
		return response{}, keyring.Unauthenticated(r.Name(), doing, err, remedies[keyring.NoCredential])
	}
	if len(additional) > 0 {
		ask.AdditionalData, ask.AdditionalSum = additional, sum(additional)
	}
	var answer response
	if err := rest.Post(ctx, r.access.Client, r.access.Endpoint+"/v1/"+r.form.Key+":"+method, token, ask, &answer); err != nil {
		return response{}, r.failed(doing, err, token.Reveal(), ask)
	}
	return answer, nil
}
