package states

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// lookAtSeed compares the live state with what is declared.
func (o *Observer) lookAtSeed(ctx context.Context, view vault.View, look *Look) error {
	objects := o.desired.objectsFor(look.StoredKeys)
	proven := make(chan error, 1)
	if view == look.root {
		proven <- nil
	} else {
		// Our policy denies us our own policy and role: only root can repair them.
		objects = o.desired.declaration.Objects
		go func() { proven <- o.checkPrivilege(ctx, view, look) }()
	}
	goal := o.desired.goal(objects, look.Checkpoint, look.StoredKeys, o.setting.Reads)
	now := o.setting.Now()
	goal.Seen = o.recall.fresh(look, now)
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if unproven := <-proven; unproven != nil {
		return unproven // it may be the cause of any other error
	}
	if err != nil {
		return fmt.Errorf("comparing Vault with the seed: %w", err)
	}
	o.recall.keep(look, plan, now)
	look.Observation.Plan = fsm.PlanChanges
	if plan.Empty() {
		look.Observation.Plan = fsm.PlanEmpty
	}
	look.Plan = plan
	return nil
}

// checkPrivilege makes sure, before anything is written, that our login may do all that the
// seed needs. What it needs for ceremonies it can do without until there is one.
func (o *Observer) checkPrivilege(ctx context.Context, view vault.View, look *Look) error {
	active, _ := look.Observation.Replicas.Active()
	optional := o.desired.ceremonyNeeds(look.StoredKeys, active.Product)
	missing, err := missingPrivileges(ctx, view, o.desired.policyFor(look.StoredKeys), slices.Concat(o.desired.needs, optional))
	if err != nil {
		return err
	}
	without := slices.DeleteFunc(slices.Clone(missing), func(privilege string) bool { return !amongNeeds(optional, privilege) })
	if len(without) > 0 && !o.lacking {
		o.lacking = true
		o.setting.Log.Warn("our policy does not let our login generate a root token or exchange the keys, and this server wants a token for that", "lacks", list(without),
			"remedy", "'vault-bootstrap break-glass run --token-file=FILE' with an administrator's token writes it again; 'vault-bootstrap seed policy' prints it. Everything else works.")
	}
	if missing = slices.DeleteFunc(missing, func(privilege string) bool { return amongNeeds(optional, privilege) }); len(missing) == 0 {
		return nil
	}
	widen, flags := "With the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run; or an administrator: ", o.access.Flags()
	switch {
	case o.setting.Keyless:
		widen, flags = "With an administrator's token, which is stored nowhere: 'vault-bootstrap run --token-file=FILE' with the flags of this run; or by hand: ", " --keys=none"+flags
	case look.Observation.Keys == fsm.NoShares:
		widen = "An administrator can: "
	}
	return fault.Stop("seed exceeds policy",
		fmt.Errorf("the policy %q of our login does not grant all that the seed needs: %s", o.setting.Name, list(missing)),
		"Nothing was written: the seed has grown, or the policy was changed, and our login cannot widen its own policy. "+widen+
			fmt.Sprintf("'vault-bootstrap seed policy --name=%s%s SEED' prints it, 'vault policy write %s -' takes it.", o.setting.Name, flags, o.setting.Name))
}

// amongNeeds reports whether a privilege that is missing is one of needs.
func amongNeeds(needs []policy.Grant, privilege string) bool {
	path, _, _ := strings.Cut(privilege, ": ")
	return slices.ContainsFunc(needs, func(need policy.Grant) bool { return need.Path == path })
}

// mostListed is how many privileges a message names.
const mostListed = 5

// list joins the first items and counts the rest.
func list(items []string) string {
	text := ""
	for i, item := range items {
		if i == mostListed {
			return fmt.Sprintf("%s and %d more", text, len(items)-mostListed)
		}
		if i > 0 {
			text += ", "
		}
		text += item
	}
	return text
}

// gatherFacts reads from Vault what the controls of a run are judged by.
func (o *Observer) gatherFacts(ctx context.Context, view vault.View, look *Look) error {
	active, _ := look.Observation.Replicas.Active()
	look.Facts = o.surroundings.newFacts(o.desired, active)
	look.Facts.RootStored, look.Facts.Login = harden.Known(look.StoredKeys.Root != nil), harden.Known(look.Observation.Login == fsm.LoginWorks)
	if err := gather.Vault(ctx, view, o.desired.runGroups(), o.setting.Reads, &look.Facts); err != nil {
		return fmt.Errorf("reading the controls: %w", err)
	}
	return nil
}

// lookAtControls gathers the rest of the facts, and judges the controls that a run requires and
// fixes.
func (o *Observer) lookAtControls(ctx context.Context, look *Look) {
	groups := o.desired.runGroups()
	o.surroundings.look(ctx, groups, &look.Facts)
	// Facts that were not gathered are not a failure: no control of this run needs them.
	look.Controls = slices.DeleteFunc(harden.Judge(look.Facts, o.desired.declaration.Rules, false), func(result harden.Result) bool {
		return slices.ContainsFunc(result.Groups, func(group harden.Group) bool { return !slices.Contains(groups, group) })
	})
	look.Observation.Controls = fsm.ControlsHold
	if len(harden.Failed(look.Controls, true)) > 0 || len(o.fixes.untried(look.Controls)) > 0 {
		look.Observation.Controls = fsm.ControlsFail
	}
}
