package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// lookAtControls judges what a run requires and fixes.
func (b *Bootstrap) lookAtControls(ctx context.Context, session *vault.Session, keys store.Keys, o *fsm.Observation) error {
	groups := b.runGroups()
	facts := b.newFacts()
	facts.RootStored, facts.Login = harden.Known(keys.Root != nil), harden.Known(o.Login == fsm.LoginWorks)
	if err := gather.Vault(ctx, session, groups, b.Parallelism, &facts); err != nil {
		return fmt.Errorf("looking at the controls: %w", err)
	}
	b.lookAround(ctx, groups, &facts)
	b.facts = facts
	// What was not gathered was not asked for: it is no failure.
	b.Controls = slices.DeleteFunc(harden.Judge(facts, b.Rules, false), func(result harden.Result) bool {
		return slices.ContainsFunc(result.Groups, func(group harden.Group) bool { return !slices.Contains(groups, group) })
	})
	o.Controls = fsm.ControlsHold
	if len(harden.Failed(b.Controls, true)) > 0 || len(b.untried()) > 0 {
		o.Controls = fsm.ControlsFail
	}
	return nil
}

func (b *Bootstrap) newFacts() harden.Facts {
	return harden.Facts{Now: b.Now(), OwnPolicy: b.Name}
}

// lookAround gathers what takes no token.
func (b *Bootstrap) lookAround(ctx context.Context, groups []harden.Group, facts *harden.Facts) {
	if slices.Contains(groups, harden.GroupReplicas) {
		facts.Replicas = harden.Known(b.lookAtServers(ctx))
	}
	if slices.Contains(groups, harden.GroupSeal) {
		facts.Seal = b.lookAtSeal(ctx)
	}
	if slices.Contains(groups, harden.GroupKubernetes) && b.Around != nil {
		facts.Kubernetes = b.Around(ctx)
	}
}

// lookAtSeal asks the replicas, one after another, until one tells its seal.
func (b *Bootstrap) lookAtSeal(ctx context.Context) harden.Fact[harden.Seal] {
	var errs []error
	for _, replica := range b.Replicas {
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
func (b *Bootstrap) untried() []harden.Result {
	return slices.DeleteFunc(harden.ToFix(b.Controls), func(result harden.Result) bool { return b.tried[result.ID] })
}

// fixControls makes the calls that put right what the seed says, and reports whether
// there were any. A fix that did not help is not tried again by the same run.
func (b *Bootstrap) fixControls(ctx context.Context) (bool, error) {
	session := b.root
	if session == nil {
		session = b.own
	}
	results := b.untried()
	if len(results) > 0 && session == nil {
		return false, errors.New("there is no session to fix controls with")
	}
	for _, result := range results {
		for _, call := range result.Fix(b.facts, b.Rules.Limits) {
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
