package vault

import (
	"context"
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

// RootAttempt returns whether a root token is being generated.
func (r *Replica) RootAttempt(ctx context.Context, via Endpoints) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, via, http.MethodGet, via.root("attempt"), nil, &attempt)
	return attempt, err
}

// BeginRoot starts an attempt whose token only the owner of a PGP key can decrypt. The key is
// public, binary and in base64.
func (r *Replica) BeginRoot(ctx context.Context, via Endpoints, publicKey string) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, via, http.MethodPut, via.root("attempt"), map[string]any{"pgp_key": publicKey}, &attempt)
	return attempt, err
}

// GiveRoot submits one key share to the attempt that nonce names. It is sent once: only the answer
// to the last share holds the token.
func (r *Replica) GiveRoot(ctx context.Context, via Endpoints, nonce string, share secret.Value) (RootAttempt, error) {
	var attempt RootAttempt
	err := r.ceremony(ctx, via, http.MethodPut, via.root("update"), map[string]any{"nonce": nonce, "key": share.Reveal()}, &attempt)
	return attempt, err
}

// CancelRoot cancels the attempt that is in progress, no matter whose it is: Vault 1.21 and OpenBao
// 2.6 accept no nonce here. The caller checks first.
func (r *Replica) CancelRoot(ctx context.Context, via Endpoints) error {
	return r.ceremony(ctx, via, http.MethodDelete, via.root("attempt"), nil, nil)
}
