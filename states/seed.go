package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Declare sets what Vault is to hold: the seed's objects and, beside them, the
// policy, the auth method and the role of our own login.
func (b *Bootstrap) Declare(declared []seed.Object) error {
	own := b.Login.Objects(b.Name)
	own = append(own, b.readObjects(declared)...)
	own = append(own, seed.Policy(b.Name, b.policyText(own, declared)))
	all, err := seed.Combine(own, declared)
	if err != nil {
		return err
	}
	b.objects, b.declared = all, declared
	b.needs = append(seed.Needs(declared, b.Prune.Owned), seed.Grant{Path: "sys/audit", Capabilities: []string{"read", "sudo"}})
	b.needs = slices.Concat(b.needs, cleanup(), b.controlNeeds())
	return nil
}

// PolicyText returns our own policy for a seed: what it needs, and no way to widen
// itself.
func (b *Bootstrap) PolicyText() string {
	return b.policyText(append(b.Login.Objects(b.Name), b.readObjects(b.declared)...), b.declared)
}

func (b *Bootstrap) policyText(own, declared []seed.Object) string {
	protected := []string{"sys/policies/acl/" + b.Name}
	for _, object := range own {
		if object.Stage == seed.StageRoles || object.Stage == seed.StagePolicies {
			protected = append(protected, string(object.ID))
		}
	}
	grants := slices.Concat(seed.PolicyGrants(slices.Concat(own, declared), b.Prune.Owned), b.Prune.Grants(), cleanup(), b.controlGrants())
	return seed.PolicyHCL(grants, protected)
}

// lookAtSeed compares what is live with what is declared.
func (b *Bootstrap) lookAtSeed(ctx context.Context, session *vault.Session, keys store.Keys, o *fsm.Observation) error {
	objects := b.objects
	if session != b.root {
		// Our policy denies us our own policy and role: only root puts them right.
		if err := b.checkPrivilege(ctx, session); err != nil {
			return err
		}
		objects = b.declared
	}
	checkpoint, err := b.Records.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	plan, err := seed.NewPlan(ctx, session, b.goal(objects, checkpoint, keys))
	if err != nil {
		return fmt.Errorf("comparing Vault with the seed: %w", err)
	}
	o.Plan = fsm.PlanChanges
	if plan.Empty() {
		o.Plan = fsm.PlanEmpty
	}
	b.plan, b.planner = plan, session
	return nil
}

// goal returns what a plan for objects is made for.
func (b *Bootstrap) goal(objects []seed.Object, checkpoint store.Checkpoint, keys store.Keys) seed.Goal {
	goal := seed.Goal{
		Objects: objects, Memory: seed.Memory{Hashes: checkpoint.Hashes, HashKey: keys.HashKey},
		Prune: b.Prune, Parallelism: b.Parallelism,
	}
	for id, how := range checkpoint.Ledger {
		if how != store.TakenOver { // what others made is theirs to delete
			goal.Owned = append(goal.Owned, seed.ID(id))
		}
	}
	for _, o := range b.objects {
		goal.Keep = append(goal.Keep, o.ID)
	}
	return goal
}

// checkPrivilege makes sure, before anything is read or written, that our login
// may do all that the seed needs.
func (b *Bootstrap) checkPrivilege(ctx context.Context, session *vault.Session) error {
	missing, err := b.missingPrivileges(ctx, session)
	if err != nil || len(missing) == 0 {
		return err
	}
	return fault.Stop("seed exceeds policy",
		fmt.Errorf("the policy %q of our login does not grant all that the seed needs: %s", b.Name, list(missing, 5)),
		"The seed has grown, or the policy was changed. Nothing was written. Our login cannot widen its own policy. "+
			"From the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run. Or an administrator: "+
			fmt.Sprintf("'vault-bootstrap seed policy --name=%s%s SEED' prints it, 'vault policy write %s -' takes it. Then run again.", b.Name, b.loginFlags(), b.Name))
}

// loginFlags are the flags that choose our login, with a space before them; none if the
// seed does.
func (b *Bootstrap) loginFlags() string {
	if b.SeedLogin {
		return ""
	}
	return " " + b.Login.Flags()
}

// missingPrivileges returns what the session's token lacks, as "path: capability".
func (b *Bootstrap) missingPrivileges(ctx context.Context, session *vault.Session) ([]string, error) {
	paths := make([]string, 0, len(b.needs))
	for _, grant := range b.needs {
		paths = append(paths, grant.Path)
	}
	granted, err := session.Capabilities(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("asking for our own capabilities: %w", err)
	}
	var missing []string
	for _, grant := range b.needs {
		if slices.Contains(granted[grant.Path], "root") {
			continue
		}
		for _, capability := range grant.Capabilities {
			if !slices.Contains(granted[grant.Path], capability) {
				missing = append(missing, grant.Path+": "+capability)
			}
		}
	}
	return missing, nil
}

// seed applies what is missing, with root on the first run and with our own login
// afterwards.
func (b *Bootstrap) seed(ctx context.Context, o fsm.Observation) error {
	if err := b.remember(ctx, o); err != nil {
		return err
	}
	if b.plan == nil {
		return errors.New("nothing is planned yet")
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	b.plan.Remember(keys.HashKey)
	result, err := seed.Apply(ctx, b.planner, b.plan, seed.Options{
		Parallelism:  b.Parallelism,
		BeforeCreate: b.announce,
		Done: func(change seed.Change, err error) {
			if err == nil {
				b.Log.Info("wrote", "object", string(change.Object.ID), "action", change.Action.String())
			}
		},
	})
	for _, id := range result.Kept {
		b.Log.Warn("the seed no longer names it, and Vault cannot delete it: it stays as it is", "object", string(id))
	}
	for _, left := range b.plan.Left {
		b.Log.Warn("the seed no longer names it, and it stays", "object", string(left.ID), "reason", left.Reason)
	}
	if saveErr := b.saveLedger(context.WithoutCancel(ctx), result); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	point.Reach("seed.applied")
	return err
}

// remember stores what the first look inside has shown: the cluster's ID, and the
// key for the hashes of write-only values.
func (b *Bootstrap) remember(ctx context.Context, o fsm.Observation) error {
	active, _ := o.Active()
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set == nil || keys.Set.ClusterID == active.ClusterID && !keys.HashKey.Empty() {
		return nil
	}
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set.ClusterID == "" {
			keys.Set.ClusterID = active.ClusterID
		}
		if keys.HashKey.Empty() {
			keys.HashKey = newSecret()
		}
		return nil
	})
}

// announce writes the ledger ahead of a stage that creates something.
func (b *Bootstrap) announce(ctx context.Context, ids []seed.ID) error {
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		own(c, ids, store.Intended)
		return nil
	})
}

func (b *Bootstrap) saveLedger(ctx context.Context, result seed.Result) error {
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		own(c, result.Created, store.Created)
		for _, id := range result.Updated {
			if _, known := c.Ledger[string(id)]; !known {
				own(c, []seed.ID{id}, store.TakenOver)
			}
		}
		for _, id := range slices.Concat(result.Deleted, result.Taken, result.Kept, b.plan.Forget) {
			delete(c.Ledger, string(id))
		}
		c.Hashes = result.Hashes
		return nil
	})
}

func own(c *store.Checkpoint, ids []seed.ID, how store.Ownership) {
	if c.Ledger == nil && len(ids) > 0 {
		c.Ledger = map[string]store.Ownership{}
	}
	for _, id := range ids {
		c.Ledger[string(id)] = how
	}
}

// list joins the first items and counts the rest.
func list(items []string, most int) string {
	text := ""
	for i, item := range items {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(items)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += item
	}
	return text
}
