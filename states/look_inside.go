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
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// lookAtSeed compares the live state with what is declared.
func (o *Observer) lookAtSeed(ctx context.Context, view vault.View, look *Look) error {
	if view == look.root {
		return look.planAsRoot(ctx, o, view)
	}
	// Our policy denies us our own policy and role: only root can repair them.
	written := o.desired.growing.objects(o.desired.growing.gone(look.Checkpoint))
	growth, proven := growthOff, make(chan error, 1)
	go func() {
		var err error
		growth, err = o.checkPrivilege(ctx, view, look)
		proven <- err
	}()
	err := look.planFor(ctx, o, view, slices.Concat(o.desired.declaration.Objects, written), o.desired.declaration.Prune)
	if unproven := <-proven; unproven != nil {
		look.Plan, look.Observation.Plan = nil, fsm.PlanUnknown
		return unproven // it may be the cause of any other error
	}
	look.growth, o.own.growth = growth, &growth
	switch {
	case growth == growthDue:
		// What is new may not even be read yet. Audit devices come first, as always.
		audit := slices.DeleteFunc(slices.Clone(o.desired.declaration.Objects), func(each object.Object) bool { return !each.IsAudit() })
		return look.planFor(ctx, o, view, slices.Concat(audit, written), object.Prune{})
	case err == nil && growth == growthOff && len(written) > 0:
		look.Plan = without(look.Plan, func(c reconcile.Change) bool { return o.desired.growing.writes(c.Object) })
		look.judgePlan()
	}
	return err
}

// planAsRoot plans with another token than that of our own login. Where the seed as a whole cannot be
// planned, what root is there for can: then our login finds out the rest, without root. That is the
// login alone where the server refuses the audit devices.
func (l *Look) planAsRoot(ctx context.Context, o *Observer, view vault.View) error {
	objects := o.desired.objectsFor(l.StoredKeys, l.Checkpoint)
	err := l.planFor(ctx, o, view, objects, o.desired.declaration.Prune)
	if err == nil || ctx.Err() != nil {
		return err
	}
	login := slices.DeleteFunc(slices.Clone(objects), func(each object.Object) bool { return !o.desired.ofLogin(each) })
	audited := slices.DeleteFunc(slices.Clone(objects), func(each object.Object) bool { return !each.IsAudit() && !o.desired.ofLogin(each) })
	less := l.planFor(ctx, o, view, audited, object.Prune{})
	if reconcile.Refused(less) {
		less = l.planFor(ctx, o, view, login, object.Prune{})
	}
	if less != nil {
		return err
	}
	l.Observation.Plan = fsm.PlanChanges
	return nil
}

// planFor plans how to make objects, and keeps the plan in the look.
func (l *Look) planFor(ctx context.Context, o *Observer, view vault.View, objects []object.Object, prune object.Prune) error {
	goal := o.desired.goal(objects, l.Checkpoint, l.StoredKeys, o.setting.Reads)
	goal.Prune = prune
	now := o.setting.Now()
	goal.Seen = o.recall.fresh(l, now)
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if err != nil {
		return fmt.Errorf("comparing Vault with the seed: %w", err)
	}
	o.recall.keep(l, plan, now)
	l.Plan = plan
	l.judgePlan()
	return nil
}

// judgePlan observes what the plan of the look amounts to.
func (l *Look) judgePlan() {
	l.Observation.Plan = fsm.PlanChanges
	if l.Plan.Empty() && l.growth != growthDue {
		l.Observation.Plan = fsm.PlanEmpty
	}
}

// growth says whether the policies of our login grow with the seed.
type growth int

const (
	// growthOff: there is one policy, which only root writes.
	growthOff growth = iota
	// growthOn: our login may write the policy that is made from the seed, which has all it needs.
	growthOn
	// growthDue: the seed needs more than that policy has.
	growthDue
)

// checkPrivilege makes sure, before anything is written, that our login may do all that the seed
// needs, or may give itself what is missing. What it needs for ceremonies, and to write the policy
// that is made from the seed, it can do without until that is needed.
func (o *Observer) checkPrivilege(ctx context.Context, view vault.View, look *Look) (growth, error) {
	desired := o.desired
	active, _ := look.Observation.Replicas.Active()
	ceremonies, writing := desired.ceremonyNeeds(look.StoredKeys, active.Product), desired.growing.needs()
	made := desired.growing.texts(desired.growing.gone(look.Checkpoint))
	own := []ownPolicy{desired.policyFor(look.StoredKeys)}
	if len(made) > 0 {
		own = append(own, made[0])
	}
	seen, err := proveNeeds(ctx, view, own, slices.Concat(desired.needs(look.Checkpoint), ceremonies, writing))
	if err != nil {
		return growthOff, err
	}
	without, missing := divide(seen.missing, ceremonies)
	if len(without) > 0 && !o.own.lacking {
		o.own.lacking = true
		o.setting.Log.Warn("our policy does not let our login generate a root token or exchange the keys, and this server wants a token for that", "lacks", list(without),
			"remedy", "'vault-bootstrap break-glass run --token-file=FILE' with an administrator's token writes it again; 'vault-bootstrap seed policy' prints it. Everything else works.")
	}
	unwritable, missing := divide(missing, writing)
	state := growthOff
	if len(made) > 0 {
		if state = growthOf(o, seen, made[0], unwritable); state == growthOff {
			// Only what the earlier policy was made for is needed: it knows nothing of deletions.
			_, missing = divide(missing, desired.growing.deletions(desired.growing.gone(look.Checkpoint)))
		}
	}
	if len(missing) == 0 {
		return state, nil
	}
	if state == growthOn && seen.carried[made[0].name].text != made[0].text && desired.growing.grantsAll(missing, desired.growing.gone(look.Checkpoint)) {
		return growthDue, nil
	}
	return state, exceeds(o, look, state, missing)
}

// growthOf says whether the policy that is made from the seed works for this token. Where our own
// policy or role is older than this program it does not, and a run does without.
func growthOf(o *Observer, seen proof, made ownPolicy, unwritable []string) growth {
	_, carried := seen.carried[made.name]
	if carried && len(unwritable) == 0 {
		o.own.growthLacks = ""
		return growthOn
	}
	lacks := fmt.Sprintf("the token of our login does not carry the policy %q", made.name)
	if carried {
		lacks = "our login lacks " + list(unwritable)
	}
	if o.own.growthLacks != lacks {
		o.own.growthLacks = lacks
		o.setting.Log.Warn("our policy does not grow with the seed, since it is older than this program, or was changed", "reason", lacks, "remedy", growthRemedy(o.setting))
	}
	return growthOff
}

// growthRemedy says how our login gets what it lacks.
func growthRemedy(setting *Setting) string {
	if setting.Keyless {
		return "Once, with an administrator's token, which is stored nowhere: 'vault-bootstrap run --token-file=FILE' with the flags of this run."
	}
	return "Once, with the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run."
}

// exceeds is the error for a seed that needs more than our login may do, and may not give itself.
func exceeds(o *Observer, look *Look, state growth, missing []string) error {
	widen, flags := "With the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run; or an administrator: ", o.access.Flags()
	switch {
	case o.setting.Keyless:
		widen, flags = "With an administrator's token, which is stored nowhere: 'vault-bootstrap run --token-file=FILE' with the flags of this run; or by hand: ", " --keys=none"+flags
	case look.Observation.Keys == fsm.NoShares:
		widen = "An administrator can: "
	}
	overCeiling := func(privilege string) bool {
		path, _, _ := strings.Cut(privilege, ": ")
		return (policy.Ceiling{}).Forbids(path) != ""
	}
	if state == growthOn && !slices.ContainsFunc(missing, overCeiling) {
		return fault.Stop("seed exceeds policy",
			fmt.Errorf("our login may not do all that the seed needs, although the policies %q and %q are its own: %s", o.setting.Name, o.setting.Name+login.SeedSuffix, list(missing)),
			"Nothing of the seed was written: check for a deny rule in another policy of the token, its entity or its groups, or restore our own policy. "+widen+
				fmt.Sprintf("'vault-bootstrap seed policy --name=%s%s SEED' prints it.", o.setting.Name, flags))
	}
	which := " --policy=fixed" // one policy for everything, since the token carries no other
	if state == growthOn {
		which = " --part=core"
	}
	return fault.Stop("seed exceeds policy",
		fmt.Errorf("the policy %q of our login does not grant all that the seed needs: %s", o.setting.Name, list(missing)),
		"Nothing was written: the seed has grown, or the policy was changed, and our login cannot widen its own policy. "+widen+
			fmt.Sprintf("'vault-bootstrap seed policy --name=%s%s%s SEED' prints it, 'vault policy write %s -' takes it.", o.setting.Name, which, flags, o.setting.Name))
}

// divide returns the privileges that are missing among needs, and the others.
func divide(missing []string, needs []policy.Grant) (among, others []string) {
	for _, privilege := range missing {
		if amongNeeds(needs, privilege) {
			among = append(among, privilege)
		} else {
			others = append(others, privilege)
		}
	}
	return among, others
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
	look.Facts.Record = o.surroundings.lookAtRecord(ctx, o.desired.runGroups(), look.StoredKeys)
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
	if o.own.rootEnded || unconfirmed(look.Checkpoint.History) {
		look.Observation.Controls = fsm.ControlsUnconfirmed
	}
	if len(harden.Failed(look.Controls, true)) > 0 || len(o.fixes.untried(look.Controls)) > 0 {
		look.Observation.Controls = fsm.ControlsFail
	}
}
