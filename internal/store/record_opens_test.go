package store_test

import (
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func TestInClear(t *testing.T) {
	x := secret.New("x")
	shares := &store.KeySet{Shares: []secret.Value{x}}
	operators := &store.KeySet{Custody: []store.CustodyShare{{Message: "m"}}}
	for name, test := range map[string]struct {
		keys store.Keys
		want []string
	}{
		"nothing":           {store.Keys{Epoch: 3}, nil},
		"key of the hashes": {store.Keys{HashKey: x}, nil},
		"shares":            {store.Keys{Set: shares, HashKey: x}, []string{"key shares"}},
		"with operators":    {store.Keys{Set: operators, AppRole: &store.AppRole{RoleID: "r"}}, nil},
		"earlier shares":    {store.Keys{Set: operators, Old: map[string]store.KeySet{"2026-01-01": *shares}}, []string{"key shares"}},
		"new shares":        {store.Keys{Set: operators, Rotation: &store.Rotation{Set: shares, PrivateKey: x}}, []string{"key shares", "private key of an answer"}},
		"first run":         {store.Keys{Set: shares, Root: &store.Root{Token: x}, Attempt: &store.Attempt{PrivateKey: x}}, []string{"key shares", "root token", "private key of an answer"}},
		"earlier attempt":   {store.Keys{Past: []store.Attempt{{PrivateKey: x}}}, []string{"private key of an answer"}},
		"break-glass":       {store.Keys{Set: operators, RootGrant: &store.RootGrant{PrivateKey: x, Token: x}}, []string{"root token", "private key of an answer"}},
		"our login":         {store.Keys{Set: operators, AppRole: &store.AppRole{SecretID: x}}, []string{"secret ID"}},
		"ceremonies":        {store.Keys{Ceremony: &store.AppRole{SecretID: x}}, []string{"secret ID"}},
		"encrypted":         {store.Keys{Set: shares, Root: &store.Root{Token: x}, Sealing: &store.Sealing{}}, nil},
		"encrypted, no key": {store.Keys{Set: shares, Sealing: &store.Sealing{Stored: []byte("{}")}}, nil},
	} {
		if got := test.keys.InClear(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
