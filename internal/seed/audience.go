package seed

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// withoutAudience warns about a role of Kubernetes that takes tokens for any audience: one that was
// meant for another service logs in to Vault with it. Vault says so in its log since 1.21.
func withoutAudience(role object.Object) []value.Problem {
	audience := role.Data["audience"]
	if !value.IsEmpty(value.Reveal(audience)) || value.Pending(audience) {
		return nil
	}
	return []value.Problem{{Position: role.Position, Text: string(role.ID) +
		" has no audience, so that a token for any other service logs in with it: name the one that its tokens are issued for"}}
}
