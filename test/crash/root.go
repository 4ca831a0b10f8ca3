package main

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// generateRoot makes a root token from key shares, as a person would with
// 'vault operator generate-root'.
func generateRoot(ctx context.Context, node *testbed.VaultNode, keys testbed.VaultKeys) (string, error) {
	const path = "sys/generate-root/attempt"
	var began struct{ Nonce, OTP string }
	if err := node.Call(ctx, http.MethodPut, path, "", map[string]any{}, &began); err != nil {
		return "", err
	}
	var said struct {
		Complete bool
		Encoded  string `json:"encoded_token"`
	}
	for _, share := range keys.Shares[:keys.Threshold] {
		in := map[string]string{"key": share, "nonce": began.Nonce}
		if err := node.Call(ctx, http.MethodPut, "sys/generate-root/update", "", in, &said); err != nil {
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

// rootTokens counts the tokens with the policy 'root', apart from the given one.
func rootTokens(ctx context.Context, node *testbed.VaultNode, root string) (int, error) {
	var own struct{ Data struct{ Accessor string } }
	if err := node.Call(ctx, http.MethodGet, "auth/token/lookup-self", root, nil, &own); err != nil {
		return 0, err
	}
	var all struct{ Data struct{ Keys []string } }
	if err := node.Call(ctx, "LIST", "auth/token/accessors", root, nil, &all); err != nil {
		return 0, err
	}
	count := 0
	for _, accessor := range all.Data.Keys {
		var found struct{ Data struct{ Policies []string } }
		err := node.Call(ctx, http.MethodPost, "auth/token/lookup-accessor", root, map[string]string{"accessor": accessor}, &found)
		if failed, ok := errors.AsType[*testbed.VaultError](err); ok && failed.Status == http.StatusForbidden {
			continue // it has ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		if accessor != own.Data.Accessor && slices.Contains(found.Data.Policies, "root") {
			count++
		}
	}
	return count, nil
}
