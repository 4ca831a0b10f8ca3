package states

import (
	"context"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// RulesOf returns the rules of a seed. If the seed does not mention controls, a run requires only
// the base profile.
func RulesOf(declared seed.Harden) (harden.Rules, error) {
	if !declared.Declared() {
		return harden.DefaultRules(harden.Base), nil
	}
	spec := harden.Spec{Profile: declared.Profile, Require: declared.Require, Advise: declared.Advise, Fix: declared.Fix, Limits: declared.Limits}
	for _, each := range declared.Exceptions {
		spec.Exceptions = append(spec.Exceptions, harden.ExceptionSpec(each))
	}
	rules, err := harden.NewRules(spec)
	if err != nil {
		return rules, fault.BadSeed(fmt.Errorf("%s: the section harden: %w", declared.Position, err),
			"Correct the section: docs/controls.md has the controls and their IDs. Nothing was sent to Vault.")
	}
	return rules, nil
}

// controlNeeds returns what our login needs for the controls of a run.
func (d *Desired) controlNeeds() []policy.Grant {
	return grants(append(harden.Reads(d.runGroups()...), d.declaration.Rules.FixGrants()...))
}

// controlGrants returns what our policy grants for the controls: what 'verify' reads, whatever the
// seed requires, and what the fixes that the seed asks for write.
func (d *Desired) controlGrants() []policy.Grant {
	fixes := d.declaration.Rules.FixGrants()
	reads := slices.Concat(harden.Reads(harden.AllGroups()...), harden.ReadsElsewhere(harden.AllGroups()...), fixes)
	spaces := d.namespaces()
	reads = append(reads, harden.InnerReads(spaces...)...)
	for _, path := range spaces {
		reads = append(reads, harden.Within(path, fixes)...)
	}
	return grants(reads)
}

// namespaces returns the paths of the namespaces that the seed declares.
func (d *Desired) namespaces() []string {
	var paths []string
	for _, o := range d.declaration.Objects {
		if path := o.NamespacePath(); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

func grants(list []harden.Grant) []policy.Grant {
	converted := make([]policy.Grant, len(list))
	for i, grant := range list {
		converted[i] = policy.Grant(grant)
	}
	return converted
}

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
func lookForAudit(ctx context.Context, desired *Desired, view vault.View) (unaudited bool) {
	if desired.declaresAudit() {
		return false
	}
	var facts harden.Facts
	if err := gather.Vault(ctx, view, []harden.Group{harden.GroupAudit}, 1, &facts); err != nil {
		return false
	}
	return desired.unaudited(facts)
}
