package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// gatherFacts reads in Vault what the controls of a run are judged by.
func (o *Observer) gatherFacts(ctx context.Context, view vault.View, look *Look) error {
	look.Facts = o.newFacts()
	look.Facts.RootStored, look.Facts.Login = harden.Known(look.StoredKeys.Root != nil), harden.Known(look.Observation.Login == fsm.LoginWorks)
	if err := gather.Vault(ctx, view, o.desired.runGroups(), o.Parallelism, &look.Facts); err != nil {
		return fmt.Errorf("looking at the controls: %w", err)
	}
	return nil
}

// lookAtControls gathers the rest of the facts, and judges what a run requires and fixes.
func (o *Observer) lookAtControls(ctx context.Context, look *Look) {
	groups := o.desired.runGroups()
	o.lookAround(ctx, groups, &look.Facts)
	// What was not gathered was not asked for: it is no failure.
	look.Controls = slices.DeleteFunc(harden.Judge(look.Facts, o.desired.said.Rules, false), func(result harden.Result) bool {
		return slices.ContainsFunc(result.Groups, func(group harden.Group) bool { return !slices.Contains(groups, group) })
	})
	look.Observation.Controls = fsm.ControlsHold
	if len(harden.Failed(look.Controls, true)) > 0 || len(o.untried(look.Controls)) > 0 {
		look.Observation.Controls = fsm.ControlsFail
	}
}

func (o *Observer) newFacts() harden.Facts {
	return harden.Facts{Now: o.Now(), OwnPolicy: o.Name}
}

// lookAround gathers what takes no token.
func (o *Observer) lookAround(ctx context.Context, groups []harden.Group, facts *harden.Facts) {
	if slices.Contains(groups, harden.GroupReplicas) {
		facts.Replicas = harden.Known(o.lookAtServers(ctx))
	}
	if slices.Contains(groups, harden.GroupSeal) {
		facts.Seal = o.lookAtSeal(ctx)
	}
	if slices.Contains(groups, harden.GroupKubernetes) && o.Around != nil {
		facts.Kubernetes = o.Around(ctx)
	}
}

// lookAtSeal asks the replicas, one after another, until one tells its seal.
func (o *Observer) lookAtSeal(ctx context.Context) harden.Fact[harden.Seal] {
	var errs []error
	for _, replica := range o.Servers.Servers() {
		status, err := replica.SealStatus(ctx)
		if err == nil && status.Type != "" {
			return harden.Known(harden.Seal{Type: status.Type, Storage: status.Storage})
		}
		errs = append(errs, err)
	}
	return harden.NotKnown[harden.Seal](fmt.Sprintf("no server tells its seal: %v", errors.Join(errs...)))
}

// untried returns the failures that the seed has a run fix, and that this run has not
// tried to.
func (o *Observer) untried(controls []harden.Result) []harden.Result {
	return slices.DeleteFunc(harden.ToFix(controls), func(result harden.Result) bool { return o.tried[result.ID] })
}

// fixControls makes the calls that put right what the seed says, and reports whether
// there were any. A fix that did not help is not tried again by the same run.
func (b *Bootstrap) fixControls(ctx context.Context, look *Look) (bool, error) {
	session := b.behind(look.seenBy)
	results := b.untried(look.Controls)
	if len(results) > 0 && session == nil {
		return false, errors.New("there is no session to fix controls with")
	}
	for _, result := range results {
		b.recall.forget() // a fix may change what the seed declares
		for _, call := range result.Fix(look.Facts, b.desired.said.Rules.Limits) {
			if err := send(ctx, session, call); err != nil {
				return false, fmt.Errorf("fixing the control %q (%s): %w", result.ID, call, err)
			}
			b.Log.Info("fixed", "control", result.ID, "seen", result.Seen, "call", call.String())
		}
		if b.tried == nil {
			b.tried = map[string]bool{}
		}
		b.tried[result.ID] = true
	}
	return len(results) > 0, nil
}

func send(ctx context.Context, session *vault.Session, call harden.Call) error {
	if call.Delete {
		return session.Delete(ctx, call.Path)
	}
	_, err := session.Write(ctx, call.Path, call.Data)
	return err
}
