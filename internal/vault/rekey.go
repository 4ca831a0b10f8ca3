package vault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// RekeyStatus is the status of a rekey.
type RekeyStatus struct {
	Started bool `json:"started"`
	// Nonce names the operation. The server keeps it in memory, so that a request with the nonce
	// reaches the operation that it is meant for, or none.
	Nonce string `json:"nonce"`
	// Verification is whether nothing changes until the new shares are submitted, and
	// VerificationNonce is the nonce for that.
	Verification      bool   `json:"verification_required"`
	VerificationNonce string `json:"verification_nonce"`
	// Complete is whether enough valid present shares were submitted.
	Complete bool `json:"complete"`
	// Required is how many of the present shares are needed.
	Required int `json:"required"`
	// Fingerprints are those of the PGP keys to which the new shares are encrypted.
	Fingerprints []string `json:"pgp_fingerprints"`
	// Shares are the new shares, base64 PGP messages: only the answer to the last
	// present share holds them.
	Shares []string `json:"keys_base64"`
}

// RekeyRequest says which shares to generate.
type RekeyRequest struct {
	// ShareKeys are PGP public keys in base64: one share for each.
	ShareKeys []string
	// Threshold is how many of them will be needed; 0 means all.
	Threshold int
}

// Rekey returns whether a rekey is in progress. With recovery it is about recovery keys.
func (r *Replica) Rekey(ctx context.Context, recovery bool, via Endpoints) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodGet, recovery, "init", via, nil)
}

// BeginRekey starts a rekey that takes effect only once its new shares are submitted.
func (r *Replica) BeginRekey(ctx context.Context, recovery bool, via Endpoints, request RekeyRequest) (RekeyStatus, error) {
	threshold := request.Threshold
	if threshold == 0 {
		threshold = len(request.ShareKeys)
	}
	return r.rekey(ctx, http.MethodPut, recovery, "init", via, map[string]any{
		"secret_shares": len(request.ShareKeys), "secret_threshold": threshold,
		"pgp_keys": request.ShareKeys, "require_verification": true,
	})
}

// GiveRekey submits one present share to the rekey that nonce names. It is sent once: only the
// answer to the last share holds the new ones.
func (r *Replica) GiveRekey(ctx context.Context, recovery bool, via Endpoints, nonce string, share secret.Value) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodPut, recovery, "update", via, map[string]any{"nonce": nonce, "key": share.Reveal()})
}

// VerifyRekey submits one new share. The one that reaches the threshold puts all of them in force.
func (r *Replica) VerifyRekey(ctx context.Context, recovery bool, via Endpoints, nonce string, share secret.Value) (RekeyStatus, error) {
	return r.rekey(ctx, http.MethodPut, recovery, "verify", via, map[string]any{"nonce": nonce, "key": share.Reveal()})
}

// CancelRekey cancels the rekey that nonce names. Vault 1.21 cancels no other; OpenBao's sys/rotate
// takes no nonce (2.6), so that the caller checks first.
func (r *Replica) CancelRekey(ctx context.Context, recovery bool, via Endpoints, nonce string) error {
	_, err := r.rekey(ctx, http.MethodDelete, recovery, "init", via, map[string]any{"nonce": nonce})
	return err
}

func (r *Replica) rekey(ctx context.Context, method string, recovery bool, verb string, via Endpoints, in any) (RekeyStatus, error) {
	path := via.rekey(recovery, verb)
	var status RekeyStatus
	if err := r.ceremony(ctx, via, method, path, in, &status); err != nil {
		return RekeyStatus{}, err
	}
	for i, share := range status.Shares {
		if share == "" {
			return RekeyStatus{}, fmt.Errorf("%s %s: share %d of the answer is empty", method, path, i+1)
		}
	}
	return status, nil
}
