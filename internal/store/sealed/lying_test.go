package sealed_test

import (
	"context"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// lying is a recipient that unwraps everything to a key of its own.
type lying struct{ *storetest.Recipient }

func (lying) Name() string { return "kms" }

func (lying) Unwrap(context.Context, []byte, map[string]string) (secret.Value, error) {
	return secret.New(strings.Repeat("k", 32)), nil
}

func (l lying) open(t *testing.T, data []byte) (store.Keys, error) {
	t.Helper()
	c := sealed.New("x")
	c.Use(sealed.Ring{Recipients: []sealed.Recipient{l}})
	return c.Decode(t.Context(), data, object)
}
