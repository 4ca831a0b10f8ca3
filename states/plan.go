package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Memory is what the records say, as far as they could be read.
type Memory struct {
	Checkpoint store.Checkpoint
	Keys       store.Keys
	// Unread is whether the keys record could not be read.
	Unread bool
}

// Plan compares Vault with the declared seed, and changes nothing. It reads with token or, if that
// is empty, with our own login; on a Vault whose first run has not finished, with its root token.
//
// It returns the plan along with an error about what no run can change.
func (o *Observer) Plan(ctx context.Context, token secret.Value, memory Memory) (*reconcile.Plan, error) {
	if o.setting.Keyless {
		if err := RefuseKeys(memory.Keys); err != nil {
			return nil, err
		}
	}
	replicas, err := o.lookAtReplicas(ctx)
	if err != nil {
		return nil, err
	}
	if !memory.Unread && !o.setting.Keyless {
		if err := RefuseMissing(o.setting.Name, replicas, memory.Keys, memory.Checkpoint); err != nil {
			return nil, err
		}
	}
	active, found := replicas.Active()
	if !found {
		return nil, fault.Wait(errors.New("no replica of Vault is active, so there is nothing to compare with"),
			"Vault is sealed or was never initialized: 'vault-bootstrap status' shows it, 'vault-bootstrap run' fixes it.")
	}
	if err := o.desired.sameNamespace(memory.Checkpoint); err != nil {
		return nil, err
	}
	if recorded := memory.Checkpoint.ClusterID; o.setting.Keyless && recorded != "" && active.ClusterID != recorded {
		return nil, fsm.ForeignToCheckpoint(recorded, active)
	}
	view, err := o.planView(ctx, active.Address, token, memory.Keys)
	if err != nil {
		return nil, err
	}
	defer o.access.Close(context.WithoutCancel(ctx))
	objects := o.desired.declaration.Objects
	grows := growsFor(ctx, o, view)
	if grows {
		objects = slices.Concat(objects, o.desired.growing.objects(o.desired.growing.gone(memory.Checkpoint)))
	}
	goal := o.desired.goal(objects, memory.Checkpoint, memory.Keys, o.setting.Reads)
	goal.Memory.Lost = memory.Keys.HashKey.Empty()
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if httpstatus.Of(err) == http.StatusForbidden && grows && token.Empty() {
		if goal.Unread, err = unreadable(ctx, view, o.desired, memory.Checkpoint); err == nil {
			plan, err = reconcile.NewPlan(ctx, view, goal)
		}
	}
	if err != nil && httpstatus.Of(err) == 403 {
		err = fault.Misuse(fmt.Errorf("comparing Vault with the seed: %w", err), "The token may not read all that the seed names. It needs 'read' there, and 'sudo' where Vault asks for it.")
	}
	if plan != nil {
		plan = plan.Without(func(c reconcile.Change) bool { return c.Action == reconcile.None && o.desired.growing.writes(c.Object) })
		fixes, fixErr := o.planFixes(ctx, active, view)
		plan.Fixes, err = fixes, errors.Join(err, fixErr)
		if !plan.Empty() && lookForAudit(ctx, o.desired, view) {
			plan.Warnings = append(plan.Warnings, unauditedWarning)
		}
		if err == nil {
			err = plan.Incomplete()
		}
	}
	return plan, err
}

// growsFor reports whether the policy that is made from the seed is in use, by the policy beside it as
// Vault has it.
func growsFor(ctx context.Context, o *Observer, view vault.View) bool {
	if o.desired.growing == nil {
		return false
	}
	core := readCarried(ctx, view, o.setting.Name)
	made := string(o.desired.growing.objects(nil)[0].ID)
	return core.err == nil && slices.ContainsFunc(acl.Lines(core.text), func(line string) bool {
		path, capabilities, _ := strings.Cut(line, ": ")
		return path == made && strings.Contains(capabilities, "update")
	})
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

func (o *Observer) planView(ctx context.Context, address string, token secret.Value, keys store.Keys) (vault.View, error) {
	switch {
	case !token.Empty():
		return o.access.With(address, token)
	case keys.Root != nil:
		return o.access.With(address, keys.Root.Token)
	}
	view, _, err := o.access.Ours(ctx, address, keys)
	if err != nil && (login.Refused(err)) {
		return vault.View{}, fault.Misuse(fmt.Errorf("logging in to read: %w", err), "Give a token with --token-file or VAULT_TOKEN. "+o.access.Hint())
	}
	return view, err
}

// planFixes returns the calls that a run would make to fix the controls that the seed says to fix,
// as Vault is now. What the run writes before that may change them.
func (o *Observer) planFixes(ctx context.Context, active fsm.Replica, view vault.View) ([]reconcile.Fix, error) {
	if len(o.desired.declaration.Rules.Fix) == 0 {
		return nil, nil
	}
	rules := harden.DefaultRules(harden.Base) // not what is required: 'verify' reports that
	rules.Fix, rules.Limits, rules.Exceptions = o.desired.declaration.Rules.Fix, o.desired.declaration.Rules.Limits, o.desired.declaration.Rules.Exceptions
	groups := rules.Groups()
	if o.desired.declaration.Namespace != "" {
		groups = harden.WithoutServer(groups)
	}
	facts := o.surroundings.newFacts(o.desired, active)
	if err := gather.Vault(ctx, view, groups, o.setting.Reads, &facts); err != nil {
		return nil, fmt.Errorf("reading the controls to fix: %w", err)
	}
	o.surroundings.look(ctx, groups, &facts)
	var fixes []reconcile.Fix
	for _, result := range harden.Judge(facts, rules, false) {
		switch {
		case !slices.Contains(rules.Fix, result.ID):
		case result.Status == harden.Unknown:
			fixes = append(fixes, reconcile.Fix{Control: result.ID, Seen: result.Found()})
		case result.Fixable():
			for _, call := range result.Fix(facts, rules.Limits) {
				fixes = append(fixes, reconcile.Fix{Control: result.ID, Seen: result.Found(), Call: call.String()})
			}
		}
	}
	return fixes, nil
}
