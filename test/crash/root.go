package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

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
