package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// RootAttempt is the status of an attempt to generate a root token.
type RootAttempt struct {
	Started bool `json:"started"`
	// Nonce names the attempt.
	Nonce string `json:"nonce"`
	// Progress is how many shares it was given, Required how many it needs.
	Progress int `json:"progress"`
	Required int `json:"required"`
	// Complete is whether the token was generated.
	Complete bool `json:"complete"`
	// Token is the new root token, a base64 PGP message.
	Token string `json:"encoded_token"`
	// Fingerprint is that of the PGP key to which the token will be encrypted.
	Fingerprint string `json:"pgp_fingerprint"`
}

const rootAttemptPath = "sys/generate-root/attempt"

// RootAttempt returns whether a root token is being generated. The token may be empty:
// Vault 1.21 asks for none, later ones do.
func (r *Replica) RootAttempt(ctx context.Context, token secret.Value) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, token, http.MethodGet, rootAttemptPath, nil, &attempt)
	return attempt, err
}

// BeginRoot starts an attempt whose token only the owner of a PGP key can decrypt. The key is
// public, binary and in base64.
func (r *Replica) BeginRoot(ctx context.Context, token secret.Value, publicKey string) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, token, http.MethodPut, rootAttemptPath, map[string]any{"pgp_key": publicKey}, &attempt)
	return attempt, err
}

// GiveRoot submits one key share to the attempt that nonce names. It is sent once: only the answer
// to the last share holds the token.
func (r *Replica) GiveRoot(ctx context.Context, token secret.Value, nonce string, share secret.Value) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, token, http.MethodPut, "sys/generate-root/update", map[string]any{"nonce": nonce, "key": share.Reveal()}, &attempt)
	return attempt, err
}

// CancelRoot cancels the attempt that is in progress, no matter whose it is: Vault 1.21 accepts no
// nonce here. The caller checks first.
func (r *Replica) CancelRoot(ctx context.Context, token secret.Value) error {
	return r.ceremony(ctx, token, http.MethodDelete, rootAttemptPath, nil, nil)
}

// ceremony sends one request to an endpoint that takes key shares. Its errors reveal nothing of the
// answer, which may be a secret.
func (r *Replica) ceremony(ctx context.Context, token secret.Value, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	code, body, err := r.rawAs(ctx, token, method, path, in)
	switch {
	case err != nil:
		return err
	case code >= http.StatusMultipleChoices:
		return refusal(method, path, code, body)
	case code == http.StatusNoContent || out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s %s: the answer (%d, %d bytes) is not what was expected", method, path, code, len(body))
	}
	return nil
}
