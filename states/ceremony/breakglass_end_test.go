package ceremony

import (
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// A root token that still works stays on record, for the next run to end.
func TestRootTokenThatSurvives(t *testing.T) {
	b, v, glass := newRootVault(t)
	b.records.keys.RootGrant = &store.RootGrant{ID: "g", Token: secret.New("made")}
	v.server.Tokens["made"] = &vaulttest.Token{Accessor: "of made", Survives: true}
	if err := glass.Sweep(t.Context(), v.server.Address, b.records.keys); err == nil || b.records.keys.RootGrant == nil {
		t.Errorf("swept with %v, on record is %+v", err, b.records.keys.RootGrant)
	}
}
