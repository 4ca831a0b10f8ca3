package states

import (
	"context"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// unauditedWarning is about writing to a server that records nothing.
const unauditedWarning = "no audit device is enabled, and the seed declares none: no audit log will show what is written"

// declaresAudit reports whether the seed has an audit device.
func (d *Desired) declaresAudit() bool {
	return slices.ContainsFunc(d.declaration.Objects, object.Object.IsAudit)
}

// unaudited reports whether the server is known to have no audit device, and gets none.
func (d *Desired) unaudited(facts harden.Facts) bool {
	devices, known := facts.Audit.Get()
	return known && len(devices) == 0 && !d.declaresAudit()
}

// lookForAudit reads whether there is an audit device, for the warning. Without the right to read it,
// there is no warning.
func (o *Observer) lookForAudit(ctx context.Context, view vault.View) (unaudited bool) {
	if o.desired.declaresAudit() {
		return false
	}
	var facts harden.Facts
	if err := gather.Vault(ctx, view, []harden.Group{harden.GroupAudit}, 1, &facts); err != nil {
		return false
	}
	return o.desired.unaudited(facts)
}
