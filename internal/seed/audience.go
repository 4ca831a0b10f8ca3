package seed

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// withoutAudience warns about roles of Kubernetes that take tokens for any audience: one that was
// meant for another service logs in to Vault with it. Vault says so in its log since 1.21.
func withoutAudience(objects []object.Object) (warnings []value.Problem) {
	for _, o := range objects {
		if o.Endpoint == "kubernetes/role" && value.IsEmpty(value.Reveal(o.Data["audience"])) && !value.Pending(o.Data["audience"]) {
			warnings = append(warnings, value.Problem{Position: o.Position, Text: string(o.ID) +
				" has no audience, so that a token for any other service logs in with it: name the one that its tokens are issued for"})
		}
	}
	return warnings
}
