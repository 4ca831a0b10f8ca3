package states

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// RulesOf returns the rules of a seed. If the seed does not mention controls, a run requires only
// the base profile.
//
// What the section demands and the seed itself contradicts is an error.
func RulesOf(declared *seed.Seed) (harden.Rules, error) {
	section, objects := declared.Harden(), newDeclarations(declared.Declared())
	if !section.Declared() {
		rules := harden.DefaultRules(harden.Base)
		rules.Declared = objects
		return rules, nil
	}
	spec := harden.Spec{
		Profile: section.Profile, Require: section.Require, Advise: section.Advise, Fix: section.Fix, Limits: section.Limits,
		Positions: map[string]string{},
	}
	for key, at := range section.Positions {
		spec.Positions[key] = at.String()
	}
	for _, each := range section.Exceptions {
		spec.Exceptions = append(spec.Exceptions, harden.ExceptionSpec{
			Control: each.Control, Object: each.Object, Reason: each.Reason, Expires: each.Expires, Position: each.Position.String(),
		})
	}
	rules, err := harden.NewRules(spec)
	if err != nil {
		return rules, fault.BadSeed(fmt.Errorf("%s: the section harden: %w", section.Position, err),
			"Correct the section: docs/controls.md has the controls and their IDs. Nothing was sent to Vault.")
	}
	rules.Declared = objects
	rules.Warnings, err = spec.Contradictions(rules, func() harden.Facts { return gather.Declared(objects) })
	if err != nil {
		return rules, fault.BadSeed(err, "Correct the seed at the positions given: docs/controls.md says what a seed may declare against a control. Nothing was sent to Vault.")
	}
	return rules, nil
}

// declarations are the objects of a seed that controls judge, by their canonical IDs.
type declarations struct {
	objects  []*object.Object
	byID     map[string]*object.Object
	requests map[string][]*object.Object // by the paths to which they write
}

func newDeclarations(objects []object.Object) *declarations {
	d := &declarations{byID: map[string]*object.Object{}, requests: map[string][]*object.Object{}}
	for i := range objects {
		o := &objects[i]
		if o.IsRequest() {
			d.requests[o.WritePath()] = append(d.requests[o.WritePath()], o)
			continue
		}
		role := o.Stage == object.StageRoles && strings.HasPrefix(string(o.ID), o.Namespace+"auth/")
		if role || o.IsAudit() || o.IsMount() || slices.Contains([]object.Stage{object.StagePolicies, object.StagePasswords, object.StageSettings}, o.Stage) {
			d.objects, d.byID[string(o.CanonicalID())] = append(d.objects, o), o
		}
	}
	return d
}

// At returns the object at a path.
func (d *declarations) At(path string) (harden.Declaration, bool) {
	o, there := d.byID[path]
	if !there {
		return harden.Declaration{}, false
	}
	return declaration(o), true
}

// Requests returns the requests that write to a path.
func (d *declarations) Requests(path string) []harden.Declaration {
	var found []harden.Declaration
	for _, o := range d.requests[path] {
		found = append(found, declaration(o))
	}
	return found
}

// All returns every object.
func (d *declarations) All() iter.Seq[harden.Declaration] {
	return func(yield func(harden.Declaration) bool) {
		for _, o := range d.objects {
			if !yield(declaration(o)) {
				return
			}
		}
	}
}

func declaration(o *object.Object) harden.Declaration {
	return harden.Declaration{
		Namespace: strings.TrimSuffix(o.Namespace, "/"), Path: strings.TrimPrefix(string(o.CanonicalID()), o.Namespace), Type: o.Type,
		Position: o.Position.String(), Data: knownFields(o.Data), Same: func(shown map[string]any) bool { return shownAs(o, shown) },
	}
}

// knownFields returns fields with nil for what must be resolved and what must not be shown.
func knownFields(fields map[string]any) map[string]any {
	known := make(map[string]any, len(fields))
	for name, v := range fields {
		inner, nested := v.(map[string]any)
		switch {
		case nested:
			known[name] = knownFields(inner)
		case value.Pending(v) || value.Hidden(v):
			known[name] = nil
		default:
			known[name] = v
		}
	}
	return known
}

// shownAs reports whether Vault shows an object as the seed declares it. Of a field that it never
// shows nothing can be said, and what holds a reference is compared by a run only.
func shownAs(o *object.Object, shown map[string]any) bool {
	if value.Pending(o.Data) {
		return false
	}
	if listing, _ := o.Table(); listing != "" {
		for name, want := range object.Flatten(*o) {
			if !object.SameSetting(name, want, object.Lookup(shown, name)) {
				return false
			}
		}
		return true
	}
	if o.Traits.Extract != nil {
		var there bool
		if shown, there = o.Traits.Extract(*o, shown); !there {
			return false
		}
	}
	for name, want := range o.Data {
		if v, there := shown[name]; there && !o.Same(name, want, v) {
			return false
		}
	}
	return true
}

// controlNeeds returns what our login reads for the controls of a run.
func (d *Desired) controlNeeds() []policy.Grant { return grants(harden.Reads(d.runGroups()...)) }

// controlReads returns what 'verify' reads, whatever the seed requires.
func controlReads() []policy.Grant {
	return grants(slices.Concat(harden.Reads(harden.AllGroups()...), harden.ReadsElsewhere(harden.AllGroups()...), harden.InnerReads()))
}

// fixGrants returns what the fixes write that the seed asks for: core is what a policy made from the
// seed never grants.
func fixGrants(rules harden.Rules) (core, others []policy.Grant) {
	for _, grant := range grants(rules.FixGrants()) {
		if (policy.Ceiling{}).Forbids(grant.Path) != "" {
			core = append(core, grant)
		} else {
			others = append(others, grant)
		}
	}
	return core, others
}

// innerGrants returns what 'verify' reads in spaces, the namespaces of the seed, and what fixes write there.
func innerGrants(rules harden.Rules, spaces []string) []policy.Grant {
	if len(spaces) == 0 {
		return nil
	}
	inner := harden.InnerReads(spaces...)
	for _, path := range spaces {
		inner = append(inner, harden.Within(path, rules.FixGrants())...)
	}
	return grants(inner)
}

// controlGrants returns what a policy for everything grants for the controls.
func (d *Desired) controlGrants() []policy.Grant {
	return slices.Concat(controlReads(), grants(d.declaration.Rules.FixGrants()), innerGrants(d.declaration.Rules, d.declaration.namespaces()))
}

// namespaces returns the paths of the namespaces that the seed declares.
func (d Declaration) namespaces() []string {
	var paths []string
	for _, o := range d.Objects {
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

// ownPolicies returns the names of our own policies, which no seed declares. With --policy=fixed, the
// one that is made from the seed may be left from before.
func (d *Desired) ownPolicies() []string {
	names := []string{d.name + login.SeedSuffix}
	for _, o := range d.objects {
		if o.Stage == object.StagePolicies && o.Position.File == "" && o.Namespace == "" {
			names = append(names, strings.TrimPrefix(string(o.ID), string(object.Policy("", nil).ID)))
		}
	}
	return names
}

// unauditedWarning is about writing to a server that records nothing.
const unauditedWarning = "no audit device is enabled, and the seed declares none: no audit log will show what is written"

// declaresAudit reports whether the seed has an audit device.
func (d Declaration) declaresAudit() bool {
	return slices.ContainsFunc(d.Objects, object.Object.IsAudit)
}

// unaudited reports whether the server is known to have no audit device, and gets none.
func (d *Desired) unaudited(facts harden.Facts) bool {
	devices, known := facts.Audit.Get()
	return known && len(devices) == 0 && !d.declaration.declaresAudit()
}

// lookForAudit reads whether there is an audit device, for the warning. Without the right to read it,
// there is no warning.
func lookForAudit(ctx context.Context, desired *Desired, view vault.View) (unaudited bool) {
	if desired.declaration.declaresAudit() {
		return false
	}
	var facts harden.Facts
	if err := gather.Vault(ctx, view, []harden.Group{harden.GroupAudit}, 1, &facts); err != nil {
		return false
	}
	return desired.unaudited(facts)
}
