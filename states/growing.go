package states

import (
	"context"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// growing makes the policies that our own login writes itself: NAME-seed, which it carries, and
// NAME-read, that of the role that only reads. Both have what the seed takes now, and nothing that
// the ceiling forbids. A nil growing makes none.
type growing struct {
	desired *Desired
	core    []policy.Grant
	ceiling policy.Ceiling
	reads   bool        // there is a role that only reads
	now     []ownPolicy // while nothing is to be deleted
}

// newGrowing returns what makes the policies of a seed; own are the objects of our login. It fails
// for a seed that needs what the ceiling forbids.
func newGrowing(d *Desired, own []object.Object) (*growing, error) {
	g := &growing{desired: d, core: coreGrants(d, own), ceiling: policy.NewCeiling(own, d.declaration.Objects)}
	g.reads = slices.ContainsFunc(own, func(o object.Object) bool { return o.ID == object.Policy(d.name+login.ReadSuffix, nil).ID })
	if err := withinCeiling(g.ceiling, g.core, d.declaration.Objects); err != nil {
		return nil, err
	}
	g.now = g.texts(nil)
	return g, nil
}

// WithinCeiling returns an error for the objects of a seed that need what no policy made from a seed
// grants, whatever our own login is called.
func WithinCeiling(declared []object.Object) error {
	core := append(policy.OwnGrants(nil, false), controlReads()...)
	return withinCeiling(policy.NewCeiling(nil, declared), core, declared)
}

func withinCeiling(ceiling policy.Ceiling, core []policy.Grant, declared []object.Object) error {
	problems := &value.Problems{}
	ceiling.Check(core, declared, problems)
	return problems.Err("Remove it from the seed and do it by hand. Or give the run --policy=fixed: then our login has one policy for everything, which only root writes, and 'break-glass run' widens it. Nothing was sent to Vault.")
}

// policies made from the seed begin with a comment: an empty text would be refused.
const madeFromSeed = "# vault-bootstrap makes this policy from the seed, and writes it again when it was changed.\n"

// texts returns the policies while gone are still to be deleted.
func (g *growing) texts(gone []object.ID) []ownPolicy {
	switch {
	case g == nil:
		return nil
	case len(gone) == 0 && g.now != nil:
		return g.now
	}
	grants := g.grants(gone)
	policies := []ownPolicy{{g.desired.name + login.SeedSuffix, madeFromSeed + policy.HCL(grants, nil)}}
	if g.reads {
		reading := readGrants(slices.Concat(g.core, grants))
		policies = append(policies, ownPolicy{g.desired.name + login.ReadSuffix, madeFromSeed + policy.HCL(reading, nil)})
	}
	return policies
}

// grants returns what NAME-seed grants while gone are still to be deleted.
func (g *growing) grants(gone []object.ID) []policy.Grant {
	d := g.desired
	needs := slices.Concat(d.seedNeeds, g.deletions(gone))
	grants := policy.SeedGrants(g.core, g.ceiling, d.declaration.Objects, needs)
	for _, more := range slices.Concat(policy.TombstoneGrants(d.declaration.Prune), innerGrants(d.declaration.Rules, d.declaration.namespaces())) {
		if g.ceiling.Forbids(more.Path) == "" {
			grants = append(grants, more)
		}
	}
	return grants
}

// deletions returns what deleting gone needs.
func (g *growing) deletions(gone []object.ID) []policy.Grant {
	if g == nil || len(gone) == 0 {
		return nil
	}
	known := object.SitesOf(gone, g.desired.declaration.Objects, g.desired.declaration.Prune.Tombstones)
	return policy.DeletionNeeds(gone, known, g.desired.declaration.Prune)
}

// grantsAll reports whether NAME-seed grants all of missing ("path: capability").
func (g *growing) grantsAll(missing []string, gone []object.ID) bool {
	grants := g.grants(gone)
	return !slices.ContainsFunc(missing, func(privilege string) bool {
		path, capability, _ := strings.Cut(privilege, ": ")
		return !policy.Grants(grants, path, capability)
	})
}

// objects returns the policies as objects.
func (g *growing) objects(gone []object.ID) []object.Object {
	var objects []object.Object
	for _, each := range g.texts(gone) {
		objects = append(objects, object.Policy(each.name, each.text))
	}
	return objects
}

// needs returns what writing the policies needs.
func (g *growing) needs() []policy.Grant {
	var needs []policy.Grant
	for _, each := range g.objects(nil) {
		needs = append(needs, policy.Grant{Path: string(each.ID), Capabilities: []string{"read", "update"}})
	}
	return needs
}

// writes reports whether o is one of the policies.
func (g *growing) writes(o object.Object) bool {
	return g != nil && slices.ContainsFunc(g.texts(nil), func(each ownPolicy) bool { return object.Policy(each.name, nil).ID == o.ID })
}

// gone returns what we have created and the seed no longer names, if that is to be deleted.
func (g *growing) gone(checkpoint store.Checkpoint) []object.ID {
	if g == nil || !g.desired.declaration.Prune.Owned {
		return nil
	}
	d := g.desired
	wanted := make(map[object.ID]bool, len(d.objects))
	for _, o := range d.objects {
		wanted[o.ID] = true
	}
	renamed := object.SpellingsOf(d.objects)
	var gone []object.ID
	for text, how := range checkpoint.Ledger {
		if id := object.ID(text); how != store.TakenOver && !wanted[id] && !renamed.Hold(id) {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	return gone
}

// without returns a plan without the changes for which leave is true.
func without(plan *reconcile.Plan, leave func(reconcile.Change) bool) *reconcile.Plan {
	rest := *plan
	rest.Changes = slices.DeleteFunc(slices.Clone(plan.Changes), leave)
	return &rest
}

// growthBy says whether the policy that is made from the seed is in use, by the policy beside it as
// Vault has it: for a token that is not our login's.
func (p *Planner) growthBy(ctx context.Context, view vault.View) growth {
	desired := p.observer.desired
	if desired.growing == nil {
		return growthOff
	}
	core := readCarried(ctx, view, p.observer.setting.Name)
	made := string(desired.growing.objects(nil)[0].ID)
	written := core.err == nil && slices.ContainsFunc(acl.Lines(core.text), func(line string) bool {
		path, capabilities, _ := strings.Cut(line, ": ")
		return path == made && strings.Contains(capabilities, "update")
	})
	if written {
		return growthOn
	}
	return growthOff
}

// unreadable returns which objects a token may not read yet: those that the policy does not know
// that a run makes first.
func unreadable(ctx context.Context, view vault.View, desired *Desired, checkpoint store.Checkpoint) (func(object.Object) bool, error) {
	seen, err := proveNeeds(ctx, view, nil, readGrants(desired.needs(checkpoint)))
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, privilege := range seen.missing {
		path, _, _ := strings.Cut(privilege, ": ")
		closed[path] = true
	}
	return func(o object.Object) bool {
		return slices.ContainsFunc(readGrants(policy.Needs([]object.Object{o}, false)), func(need policy.Grant) bool { return closed[need.Path] })
	}, nil
}
