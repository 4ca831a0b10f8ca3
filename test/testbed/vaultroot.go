package testbed

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
)

// GenerateRoot makes a root token from the key shares, as 'vault operator
// generate-root' does.
func (n *VaultNode) GenerateRoot(ctx context.Context, keys VaultKeys) (string, error) {
	var began struct{ Nonce, OTP string }
	if err := n.Call(ctx, http.MethodPut, "sys/generate-root/attempt", "", map[string]any{}, &began); err != nil {
		return "", err
	}
	var said struct {
		Complete bool
		Encoded  string `json:"encoded_token"`
	}
	for _, share := range keys.Shares[:keys.Threshold] {
		in := map[string]string{"key": share, "nonce": began.Nonce}
		if err := n.Call(ctx, http.MethodPut, "sys/generate-root/update", "", in, &said); err != nil {
			return "", err
		}
	}
	token, err := base64.RawStdEncoding.DecodeString(said.Encoded)
	if err != nil || !said.Complete || len(token) != len(began.OTP) {
		return "", errors.New("the shares were taken, and no token came")
	}
	for i := range token {
		token[i] ^= began.OTP[i]
	}
	return string(token), nil
}
