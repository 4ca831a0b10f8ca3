// Package transit has keys in the transit secrets engine of another Vault or OpenBao as recipients.
//
// A wrap is the ciphertext of the engine, as text. The context is its associated data, so the key
// must be of a type that has those; a key with derivation gets it as its derivation context, too. The
// package knows how to log in with a credential, and must not know where that comes from, nor which
// server it is.
package transit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Access is how the server is reached.
type Access struct {
	// Token returns a token that may use the key: update on MOUNT/encrypt/KEY and
	// MOUNT/decrypt/KEY. It is asked for each Wrap and Unwrap, and keeps what it has itself. An error
	// of it is NoCredential unless it has another keyring.Reason in its chain.
	Token func(ctx context.Context) (secret.Value, error)
	// Login, if it is not nil, replaces Token.
	Login *Login
	// Authorities verify the server's certificate; nil means those of the system.
	Authorities *x509.CertPool
	// ServerName is the name to verify in place of the address's host, unless it is empty.
	ServerName string
	// Certificate, if it is not nil, returns our certificate for a connection.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
}

// Recipient is a key of a transit secrets engine.
type Recipient struct {
	form   keyring.Form
	access Access
	client *api.Client

	mu sync.Mutex
	// refusedSince is the time of the first refused login since one was let in; zero if there is none.
	refusedSince time.Time
	// unrevoked says why the token of a login could not be revoked.
	unrevoked string
}

// New returns the recipient of a form of kind keyring.Transit. It asks nothing yet.
func New(form keyring.Form, access Access) (*Recipient, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("the default transport is a %T", http.DefaultTransport)
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: access.Authorities, ServerName: access.ServerName, GetClientCertificate: access.Certificate,
	}
	// Not the settings of VAULT_*: they are about the server that is bootstrapped.
	client, err := api.NewClient(&api.Config{Address: form.Server, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		return nil, fmt.Errorf("preparing a client for %q: %w", form, err)
	}
	return &Recipient{form: form, access: access, client: client}, nil
}

// Name returns the recipient as it is written on the command line.
func (r *Recipient) Name() string { return r.form.String() }

// absent is a ciphertext that no key has made.
const absent = "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Wrap encrypts the key with the newest version of the transit key, and returns the version's number.
func (r *Recipient) Wrap(ctx context.Context, key secret.Value, about keyring.Context) (wrapped []byte, version string, err error) {
	const doing = "wrapping the key"
	additional, err := keyring.Canonical(about)
	if err == nil {
		err = keyring.CheckKey(key)
	}
	if err != nil {
		return nil, "", keyring.Failed(r.Name(), doing, keyring.KeyUnsuitable, err, "This is a defect of this program: please report it.")
	}
	token, release, err := r.admitted(ctx, doing)
	if err != nil {
		return nil, "", err
	}
	defer release()
	// Encrypting makes a key that does not exist, if the token may create one. Decrypting does not,
	// so that is tried first, with what no key can decrypt.
	if _, err := r.call(ctx, doing, token, "decrypt", map[string]any{"ciphertext": absent}, additional); missing(err) {
		return nil, "", err
	}
	sent := base64.StdEncoding.EncodeToString([]byte(key.Reveal()))
	answer, err := r.call(ctx, doing, token, "encrypt", map[string]any{"plaintext": sent}, additional)
	if err != nil {
		return nil, "", err
	}
	text, _ := answer["ciphertext"].(string)
	found := versioned.FindStringSubmatch(text)
	if found == nil || keyring.CheckWrap([]byte(text)) != nil {
		return nil, "", keyring.Failed(r.Name(), doing, keyring.Corrupted, errors.New("the server answers without a ciphertext"), remedies[keyring.Corrupted])
	}
	return []byte(text), found[1], nil
}

// missing reports whether the key cannot be asked at all. That it did not decrypt, and that we must
// not, say nothing about encrypting.
func missing(err error) bool {
	return err != nil && !errors.Is(err, keyring.CannotDecrypt) && !errors.Is(err, keyring.Refused) && !errors.Is(err, keyring.KeyDisabled)
}

// versioned finds the version in a ciphertext.
var versioned = regexp.MustCompile(`^vault:v([0-9]+):[A-Za-z0-9+/=]+$`)

// Unwrap decrypts the key with the version that it was encrypted with.
func (r *Recipient) Unwrap(ctx context.Context, wrapped []byte, about keyring.Context) (secret.Value, error) {
	const doing = "unwrapping the key"
	err := keyring.CheckWrap(wrapped)
	if err == nil && !versioned.Match(wrapped) {
		err = errors.New("it is not a ciphertext of a transit secrets engine")
	}
	additional, bad := keyring.Canonical(about)
	if err = errors.Join(err, bad); err != nil {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.CannotDecrypt, err, remedies[keyring.CannotDecrypt])
	}
	token, release, err := r.admitted(ctx, doing)
	if err != nil {
		return secret.Value{}, err
	}
	defer release()
	answer, err := r.call(ctx, doing, token, "decrypt", map[string]any{"ciphertext": string(wrapped)}, additional)
	if err != nil {
		return secret.Value{}, err
	}
	text, _ := answer["plaintext"].(string)
	content, err := base64.StdEncoding.DecodeString(text)
	key := secret.New(string(content))
	if err != nil || keyring.CheckKey(key) != nil {
		return secret.Value{}, keyring.Failed(r.Name(), doing, keyring.Corrupted, errors.New("the server answers without a key"), remedies[keyring.Corrupted])
	}
	return key, nil
}

// call asks the engine to encrypt or decrypt, and returns the data of its answer.
func (r *Recipient) call(ctx context.Context, doing string, token secret.Value, operation string, body map[string]any, additional []byte) (map[string]any, error) {
	client, err := r.client.Clone() // which has one token
	if err != nil {
		return nil, fmt.Errorf("preparing a client for %q: %w", r.form, err)
	}
	client.ClearNamespace() // that VAULT_NAMESPACE names; one of ours begins the mount's path
	client.SetToken(token.Reveal())
	if len(additional) > 0 {
		body["associated_data"] = base64.StdEncoding.EncodeToString(additional)
		body["context"] = body["associated_data"]
	}
	answer, err := client.Logical().WriteWithContext(ctx, r.form.Mount+"/"+operation+"/"+r.form.Key, body)
	if err == nil && answer == nil {
		err = errors.New("the server answers with nothing")
	}
	if err != nil {
		sent, _ := body["plaintext"].(string)
		return nil, r.failed(doing, err, sent, token.Reveal())
	}
	return answer.Data, nil
}

// ClusterID returns the ID of the server's cluster.
func (r *Recipient) ClusterID(ctx context.Context) (string, error) {
	const doing = "asking for the cluster's ID"
	client, err := r.client.Clone()
	if err != nil {
		return "", fmt.Errorf("preparing a client for %q: %w", r.form, err)
	}
	client.ClearNamespace() // it is the server's own
	client.ClearToken()
	status, err := client.Sys().SealStatusWithContext(ctx)
	switch {
	case err != nil:
		return "", r.failed(doing, err)
	case !status.Initialized || status.Sealed:
		return "", keyring.Failed(r.Name(), doing, keyring.Unreachable, errors.New("the server is sealed or not initialized"), remedies[keyring.Unreachable])
	case status.ClusterID == "":
		return "", keyring.Failed(r.Name(), doing, keyring.KeyUnsuitable, errors.New("the server does not return the ID of its cluster"), "Without it, this server cannot be distinguished from the one that is bootstrapped. Use a server whose sys/seal-status has cluster_id.")
	}
	return status.ClusterID, nil
}
