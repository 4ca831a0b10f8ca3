// Package azurekv has RSA keys of Azure Key Vault and Managed HSM as recipients, by their REST API.
//
// A wrap is a checksum (8 bytes), the version of the key (32 hexadecimal digits), and what the
// service has returned (RSA-OAEP-256). It has no additional data, so the digest of the context is
// encrypted in front of the key. The package must not know where tokens come from.
package azurekv

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/rest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Access is how the service is reached.
type Access struct {
	// Token returns an access token for a resource, such as https://vault.azure.net. It is asked
	// for each call, and may keep what it has. An error of it is NoCredential unless it has
	// another keyring.Reason in its chain.
	Token func(ctx context.Context, resource string) (secret.Value, error)
	// Client sends the requests, and must not follow redirects; nil means rest.NewClient.
	Client *http.Client
}

// Recipient is an RSA key.
type Recipient struct {
	form   keyring.Form
	access Access
}

// New returns the recipient of a form of kind keyring.Azure. It asks nothing yet.
func New(form keyring.Form, access Access) *Recipient {
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
)

const (
	apiVersion = "7.4"
	// algorithm is the one with a hash that is not SHA-1; every RSA key has it.
	algorithm = "RSA-OAEP-256"
	// versionSize is the length of a key's version, in bytes.
	versionSize = 32
)

var version = regexp.MustCompile(`^[0-9a-f]{32}$`)

// operation is what both methods take and return. Value is base64url without padding.
type operation struct {
	Algorithm string `json:"alg,omitempty"`
	KeyID     string `json:"kid,omitempty"`
	Value     string `json:"value"`
}

// Wrap encrypts the key with the newest version of the RSA key, and returns that version.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, used string, err error) {
	bound, err := keyring.Bind(key, about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.KeyUnsuitable, err, "This is a defect of this program: please report it.")
	}
	// Without a version there are two slashes, as Azure's own client (azkeys 1.5) writes it.
	answer, err := r.call(ctx, wrapping, "", "wrapkey", bound.Reveal())
	if err != nil {
		return nil, "", err
	}
	used, ours := r.versionIn(answer.KeyID)
	content, err := base64.RawURLEncoding.DecodeString(answer.Value)
	switch {
	case !ours:
		err = fmt.Errorf("the key is %q", keyring.Said(answer.KeyID))
	case err != nil || len(content) == 0:
		err = errors.New("there is no wrap in it")
	default:
		wrapped = keyring.Sum(append([]byte(used), content...))
		err = keyring.CheckWrap(wrapped)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), wrapping, keyring.Corrupted, err, remedies[keyring.Corrupted])
	}
	return wrapped, used, nil
}

// versionIn returns the version in a key's ID, if it is the ID of our key.
func (r *Recipient) versionIn(id string) (string, bool) {
	prefix := r.form.Server + "/keys/" + r.form.Key + "/"
	if len(id) < len(prefix) || !strings.EqualFold(id[:len(prefix)], prefix) || !version.MatchString(id[len(prefix):]) {
		return "", false
	}
	return id[len(prefix):], true
}

// Unwrap decrypts the key with the version that it was encrypted with.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	content, err := keyring.Summed(wrapped)
	if err == nil {
		err = keyring.CheckWrap(wrapped)
	}
	if err == nil && (len(content) <= versionSize || !version.Match(content[:versionSize])) {
		err = errors.New("it does not begin with the version of a key")
	}
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	answer, err := r.call(ctx, unwrapping, string(content[:versionSize]), "unwrapkey", string(content[versionSize:]))
	if err != nil {
		return secret.Value{}, err
	}
	plain, err := base64.RawURLEncoding.DecodeString(answer.Value)
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.Corrupted, errors.New("there is no key in it"), remedies[keyring.Corrupted])
	}
	key, err := keyring.Unbind(secret.New(string(plain)), about)
	if err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), unwrapping, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	return key, nil
}

func (r *Recipient) call(ctx context.Context, doing, version, method, value string) (operation, error) {
	token, err := r.access.Token(ctx, r.resource())
	if err != nil {
		return operation{}, keyring.Unauthenticated(r.Name(), doing, err, remedies[keyring.NoCredential])
	}
	ask := operation{Algorithm: algorithm, Value: base64.RawURLEncoding.EncodeToString([]byte(value))}
	address := r.form.Server + "/keys/" + r.form.Key + "/" + version + "/" + method + "?api-version=" + apiVersion
	var answer operation
	if err := rest.Post(ctx, r.access.Client, address, token, ask, &answer); err != nil {
		return operation{}, r.failed(doing, err, token.Reveal(), ask.Value)
	}
	return answer, nil
}

// resource is what a token must be for: the service in the cloud that the key is in.
func (r *Recipient) resource() string {
	_, service, _ := strings.Cut(strings.TrimPrefix(r.form.Server, "https://"), ".")
	return "https://" + service
}
