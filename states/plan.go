package states

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
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

// Reading says how a plan reads Vault: with a token, if it is not empty, otherwise by the role of Role
// that only reads.
type Reading struct {
	Token secret.Value
	Role  *login.Access
}

// Planner foresees what a run would do and how it would end. It changes nothing: all that it has is an
// Observer.
type Planner struct{ observer *Observer }

// NewPlanner returns a Planner that reads sources, and nothing else.
func NewPlanner(sources Sources) *Planner { return &Planner{NewObserver(sources)} }

// PlannerFor returns a Planner that sees what a bootstrap sees.
func PlannerFor(b *Bootstrap) *Planner { return &Planner{b.observer} }

// Plan compares Vault with the declared seed, and changes nothing. Without a token it also finds out
// how a run would end, and returns that as its error, along with the plan. With one, nothing is known
// about the login of a run.
//
// A Vault that is not there yet, or is sealed, or may not be logged in to, is not compared with:
// everything counts as new then. The plan is nil if nothing can be said.
func (p *Planner) Plan(ctx context.Context, reading Reading, memory Memory) (*reconcile.Plan, error) {
	if p.observer.setting.Keyless {
		if err := RefuseKeys(memory.Keys); err != nil {
			return nil, err
		}
	}
	look := &Look{StoredKeys: memory.Keys, Checkpoint: memory.Checkpoint}
	var err error
	if look.Observation.Replicas, err = p.observer.lookAtReplicas(ctx); err != nil {
		return nil, err
	}
	if !memory.Unread && !p.observer.setting.Keyless {
		if err := RefuseMissing(p.observer.setting.Name, look.Observation.Replicas, memory.Keys, memory.Checkpoint); err != nil {
			return nil, err
		}
	}
	if err := p.observer.lookAtRecords(ctx, look); err != nil {
		return nil, err
	}
	if err := p.observer.desired.sameNamespace(memory.Checkpoint); err != nil {
		return nil, err
	}
	active, found := look.Observation.Replicas.Active()
	if !found {
		return p.unopened(look, !reading.Token.Empty())
	}
	if recorded := memory.Checkpoint.ClusterID; p.observer.setting.Keyless && recorded != "" && active.ClusterID != recorded {
		return nil, fsm.ForeignToCheckpoint(recorded, active)
	}
	defer p.observer.access.Close(context.WithoutCancel(ctx))
	if !reading.Token.Empty() {
		return p.withToken(ctx, active, reading.Token, look)
	}
	defer reading.Role.Close(context.WithoutCancel(ctx))
	return p.byLogin(ctx, active, reading.Role, look)
}

// unopened plans for a Vault without an active node, of which no token shows anything.
func (p *Planner) unopened(look *Look, haveToken bool) (*reconcile.Plan, error) {
	replicas := look.Observation.Replicas
	ending := fsm.Foresee(look.Observation, fsm.Hardened).Err
	if replicas.LeastState() == "" { // nobody answers
		return nil, ending
	}
	plan := p.uncompared(fmt.Sprintf("nothing was compared, since Vault is not open (%s): every object counts as new", replicas.Describe()))
	if haveToken { // the records may be others'
		plan.Unproven = unprovenWithToken
		return plan, nil
	}
	return plan, ending
}

// unprovenWithToken says what a plan with a token leaves open.
const unprovenWithToken = "with a token that is given it is not known what the login of a run may do, and whether a run would get that far"

// uncompared returns a plan in which every object of the seed is new.
func (p *Planner) uncompared(why string) *reconcile.Plan {
	plan := reconcile.Uncompared(p.observer.desired.declaration.Objects, why)
	if !p.observer.desired.declaration.declaresAudit() {
		plan.Warnings = append(plan.Warnings, unauditedWarning)
	}
	return plan
}

// withToken plans with a token that a person has given.
func (p *Planner) withToken(ctx context.Context, active fsm.Replica, token secret.Value, look *Look) (*reconcile.Plan, error) {
	view, err := p.observer.access.With(active.Address, token)
	if err != nil {
		return nil, err
	}
	plan, err := p.compare(ctx, active, view, look, p.growthBy(ctx, view))
	if plan != nil {
		plan.Unproven = unprovenWithToken
	}
	return plan, err
}

// byLogin plans as a run would begin: it judges what a run would, proves that our own login may do
// all of it, and reads by the role that only reads.
func (p *Planner) byLogin(ctx context.Context, active fsm.Replica, reader opener, look *Look) (*reconcile.Plan, error) {
	if err := fsm.Foresee(look.Observation, fsm.Hardened).Err; err != nil {
		return p.uncompared("nothing was compared, since a run would not get as far: every object counts as new"), err
	}
	if err := p.observer.lookAtRoot(ctx, active.Address, look); err != nil {
		return nil, err
	}
	if !look.root.None() { // the first run is not finished: the next one goes on as root
		return p.compare(ctx, active, look.root, look, p.growthBy(ctx, look.root))
	}
	own, err := p.settledLogin(ctx, active.Address, look)
	if err != nil {
		return nil, err
	}
	if own.None() {
		return p.uncompared("nothing was compared, since our login is refused: every object counts as new"), fsm.Foresee(look.Observation, fsm.Hardened).Err
	}
	growth, unproven := p.observer.checkPrivilege(ctx, own, look)
	view := own
	if len(p.observer.desired.methods.Readers()) > 0 {
		if view, _, err = reader.Ours(ctx, active.Address, look.StoredKeys); err != nil {
			return nil, fmt.Errorf("logging in to read: %w", err)
		}
	}
	plan, err := p.compare(ctx, active, view, look, growth)
	if unproven != nil {
		return plan, unproven // it may be the cause of any other error
	}
	if plan == nil || err != nil {
		return plan, err
	}
	return plan, p.controls(ctx, view, plan, look)
}

// loginPause is the wait between tries of a login whose refusal does not count yet.
const loginPause = 500 * time.Millisecond

// settledLogin tries our own login until it is known whether it works. It returns no view if it is
// refused for good.
func (p *Planner) settledLogin(ctx context.Context, address string, look *Look) (own vault.View, err error) {
	err = retry.Do(ctx, retry.NewConstant(loginPause), func(ctx context.Context) error {
		var err error
		own, _, err = p.observer.lookAtLogin(ctx, address, look)
		if err != nil && login.Refused(err) {
			return retry.RetryableError(err)
		}
		return err
	})
	return own, err
}

// compare compares Vault with the seed, and with the policies that grow with it, if growth says that
// they do. It returns the plan along with an error about what no run can change.
func (p *Planner) compare(ctx context.Context, active fsm.Replica, view vault.View, look *Look, growth growth) (*reconcile.Plan, error) {
	desired, objects := p.observer.desired, p.observer.desired.declaration.Objects
	if growth != growthOff {
		objects = slices.Concat(objects, desired.growing.objects(desired.growing.gone(look.Checkpoint)))
	}
	goal := desired.goal(objects, look.Checkpoint, look.StoredKeys, p.observer.setting.Reads)
	goal.Memory.Lost = look.StoredKeys.HashKey.Empty()
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if httpstatus.Of(err) == http.StatusForbidden && growth != growthOff && look.Observation.Login == fsm.LoginWorks {
		// What is new may not be read before the run has written our policies.
		if goal.Unread, err = unreadable(ctx, view, desired, look.Checkpoint); err == nil {
			plan, err = reconcile.NewPlan(ctx, view, goal)
		}
	}
	if err != nil && httpstatus.Of(err) == http.StatusForbidden {
		err = fault.Misuse(fmt.Errorf("comparing Vault with the seed: %w", err), "The token may not read all that the seed names. It needs 'read' there, and 'sudo' where Vault asks for it.")
	}
	if plan == nil {
		return nil, err
	}
	plan = without(plan, func(c reconcile.Change) bool { return c.Action == reconcile.None && desired.growing.writes(c.Object) })
	fixes, fixErr := p.fixes(ctx, active, view)
	plan.Fixes, err = fixes, errors.Join(err, fixErr)
	if !plan.Empty() && lookForAudit(ctx, desired, view) {
		plan.Warnings = append(plan.Warnings, unauditedWarning)
	}
	if err == nil {
		err = plan.Incomplete()
	}
	return plan, cmp.Or(err, plan.Unwritable())
}

// controls returns the error about required controls that do not hold although there is nothing
// left to write. If there is, they may hold afterwards: then it only warns.
func (p *Planner) controls(ctx context.Context, view vault.View, plan *reconcile.Plan, look *Look) error {
	if err := p.observer.gatherFacts(ctx, view, look); err != nil {
		return err
	}
	p.observer.lookAtControls(ctx, look)
	err := unmet(look.Controls)
	if err == nil || plan.Empty() {
		return err
	}
	plan.Warnings = append(plan.Warnings, err.Error()+": a run ends with this, unless what it writes changes it")
	return nil
}

// Foresee returns what a run to goal would do that begins with a look, and how it would end as far as
// the look shows it.
func (p *Planner) Foresee(look *Look, goal fsm.State) fsm.Forecast {
	forecast := fsm.Foresee(look.Observation, goal)
	if forecast.Err != nil || goal.Before(fsm.Seeded) || look.Plan == nil {
		return forecast
	}
	forecast.Err = cmp.Or(look.Plan.Incomplete(), look.Plan.Unwritable())
	settled := look.Observation.Plan == fsm.PlanEmpty && look.Observation.Root == fsm.NoRoot && len(p.observer.fixes.untried(look.Controls)) == 0
	if forecast.Err == nil && settled && goal == fsm.Hardened {
		forecast.Err = unmet(look.Controls)
	}
	return forecast
}

// fixes returns the calls that a run would make to fix the controls that the seed says to fix,
// as Vault is now. What the run writes before that may change them.
func (p *Planner) fixes(ctx context.Context, active fsm.Replica, view vault.View) ([]reconcile.Fix, error) {
	if len(p.observer.desired.declaration.Rules.Fix) == 0 {
		return nil, nil
	}
	rules := harden.DefaultRules(harden.Base) // not what is required: 'verify' reports that
	rules.Fix, rules.Limits, rules.Exceptions = p.observer.desired.declaration.Rules.Fix, p.observer.desired.declaration.Rules.Limits, p.observer.desired.declaration.Rules.Exceptions
	groups := rules.Groups()
	if p.observer.desired.declaration.Namespace != "" {
		groups = harden.WithoutServer(groups)
	}
	facts := p.observer.surroundings.newFacts(p.observer.desired, active)
	if err := gather.Vault(ctx, view, groups, p.observer.setting.Reads, &facts); err != nil {
		return nil, fmt.Errorf("reading the controls to fix: %w", err)
	}
	p.observer.surroundings.look(ctx, groups, &facts)
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
