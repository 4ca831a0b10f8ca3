package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// RekeyStatus is what a server says of a rekey. New shares that it may answer with
// are not read.
type RekeyStatus struct {
	Started bool `json:"started"`
	// Nonce names the operation. The server keeps it in memory, so that a request
	// that carries it reaches the operation that it was made for, or none.
	Nonce string `json:"nonce"`
	// Verification is whether nothing changes until the new shares were given back.
	Verification bool `json:"verification_required"`
	// Complete is whether enough of the present shares were given, and fit.
	Complete bool `json:"complete"`
	// Fingerprints are of the PGP keys that the new shares are encrypted to.
	Fingerprints []string `json:"pgp_fingerprints"`
}

// RekeyRequest says what shares to make.
type RekeyRequest struct {
	// ShareKeys are PGP public keys in base64: one share for each, all needed.
	ShareKeys []string
}

// Rekey returns whether a rekey is in progress. recovery is about recovery keys. The
// token may be empty: Vault 1.21 asks for none, later ones do.
func (r *Replica) Rekey(ctx context.Context, recovery bool, token secret.Value) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodGet, recovery, "init", token, nil)
}

// BeginRekey begins a rekey that takes effect only if its new shares are given back.
func (r *Replica) BeginRekey(ctx context.Context, recovery bool, token secret.Value, request RekeyRequest) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodPut, recovery, "init", token, map[string]any{
		"secret_shares": len(request.ShareKeys), "secret_threshold": len(request.ShareKeys),
		"pgp_keys": request.ShareKeys, "require_verification": true,
	})
}

// GiveRekey gives one present share to the rekey that nonce names.
func (r *Replica) GiveRekey(ctx context.Context, recovery bool, token secret.Value, nonce string, share secret.Value) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodPut, recovery, "update", token, map[string]any{"nonce": nonce, "key": share.Reveal()})
}

// CancelRekey ends the rekey that nonce names, and no other.
func (r *Replica) CancelRekey(ctx context.Context, recovery bool, token secret.Value, nonce string) error {
	_, err := r.rekey(ctx, http.MethodDelete, recovery, "init", token, map[string]any{"nonce": nonce})
	return err
}

func (r *Replica) rekey(ctx context.Context, method string, recovery bool, verb string, token secret.Value, in any) (RekeyStatus, error) {
	path := "sys/rekey/" + verb
	if recovery {
		path = "sys/rekey-recovery-key/" + verb
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	code, body, err := r.rawAs(ctx, token, method, path, in)
	switch {
	case err != nil:
		return RekeyStatus{}, err
	case code >= http.StatusMultipleChoices:
		return RekeyStatus{}, refusal(method, path, code, body)
	case code == http.StatusNoContent:
		return RekeyStatus{}, nil
	}
	var status RekeyStatus
	if err := json.Unmarshal(body, &status); err != nil {
		// The decoder's error quotes what it read.
		return RekeyStatus{}, fmt.Errorf("%s %s: the answer (%d, %d bytes) is not what was expected", method, path, code, len(body))
	}
	return status, nil
}
