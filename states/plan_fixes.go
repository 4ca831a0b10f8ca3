package states

import (
	"context"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// planFixes returns the calls that a run would make because the seed has it fix
// controls, by what Vault shows now. What the run writes before may change that.
func (o *Observer) planFixes(ctx context.Context, view vault.View) ([]reconcile.Fix, error) {
	if len(o.Rules.Fix) == 0 {
		return nil, nil
	}
	rules := harden.DefaultRules(harden.Base) // not what is required: 'verify' tells that
	rules.Fix, rules.Limits, rules.Exceptions = o.Rules.Fix, o.Rules.Limits, o.Rules.Exceptions
	groups := rules.Groups()
	facts := o.newFacts()
	if err := gather.Vault(ctx, view, groups, o.Parallelism, &facts); err != nil {
		return nil, fmt.Errorf("looking at the controls to fix: %w", err)
	}
	o.lookAround(ctx, groups, &facts)
	var fixes []reconcile.Fix
	for _, result := range harden.Judge(facts, rules, false) {
		switch {
		case !slices.Contains(rules.Fix, result.ID):
		case result.Status == harden.Unknown:
			fixes = append(fixes, reconcile.Fix{Control: result.ID, Seen: result.Seen})
		case result.Fixable():
			for _, call := range result.Fix(facts, rules.Limits) {
				fixes = append(fixes, reconcile.Fix{Control: result.ID, Seen: result.Seen, Call: call.String()})
			}
		}
	}
	return fixes, nil
}
