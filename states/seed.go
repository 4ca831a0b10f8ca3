package states

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Declare sets what Vault is to hold: the seed's objects and, beside them, the
// policy, the auth method and the role of our own login.
func (o *Observer) Declare(declared []object.Object) error {
	own := o.access.method().Objects(o.Name)
	own = append(own, o.readObjects(declared)...)
	own = append(own, object.Policy(o.Name, o.policyText(own, declared)))
	all, err := seed.Combine(own, declared)
	if err != nil {
		return err
	}
	o.objects, o.declared = all, declared
	o.needs = append(policy.Needs(declared, o.Prune.Owned), policy.Grant{Path: "sys/audit", Capabilities: []string{"read", "sudo"}})
	o.needs = slices.Concat(o.needs, cleanup(), o.controlNeeds())
	return nil
}

// PolicyText returns our own policy for a seed: what it needs, and no way to widen
// itself.
func (o *Observer) PolicyText() string {
	return o.policyText(append(o.access.method().Objects(o.Name), o.readObjects(o.declared)...), o.declared)
}

func (o *Observer) policyText(own, declared []object.Object) string {
	protected := []string{"sys/policies/acl/" + o.Name}
	for _, each := range own {
		if each.Stage == object.StageRoles || each.Stage == object.StagePolicies {
			protected = append(protected, string(each.ID))
		}
	}
	grants := slices.Concat(policy.OwnGrants(slices.Concat(own, declared), o.Prune.Owned), policy.TombstoneGrants(o.Prune), cleanup(), o.controlGrants())
	return policy.HCL(grants, protected)
}

// lookAtSeed compares what is live with what is declared.
func (o *Observer) lookAtSeed(ctx context.Context, view vault.View, look *Look) error {
	objects := o.objects
	proven := make(chan error, 1)
	if view == look.root {
		proven <- nil
	} else {
		// Our policy denies us our own policy and role: only root puts them right.
		objects = o.declared
		go func() { proven <- o.checkPrivilege(ctx, view) }()
	}
	goal := o.goal(objects, look.Checkpoint, look.StoredKeys)
	now := o.Now()
	goal.Seen = o.recall.still(look, now)
	plan, err := reconcile.NewPlan(ctx, view, goal)
	if unproven := <-proven; unproven != nil {
		return unproven // what else went wrong may be for that reason
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

// goal returns what a plan for objects is made for.
func (o *Observer) goal(objects []object.Object, checkpoint store.Checkpoint, keys store.Keys) reconcile.Goal {
	goal := reconcile.Goal{
		Objects: objects, Memory: reconcile.Memory{Hashes: checkpoint.Hashes, HashKey: keys.HashKey},
		Prune: o.Prune, Parallelism: o.Parallelism,
	}
	for id, how := range checkpoint.Ledger {
		if how != store.TakenOver { // what others made is theirs to delete
			goal.Owned = append(goal.Owned, object.ID(id))
		}
	}
	for _, object := range o.objects {
		goal.Keep = append(goal.Keep, object.ID)
	}
	return goal
}

// checkPrivilege makes sure, before anything is written, that our login may do all that the
// seed needs.
func (o *Observer) checkPrivilege(ctx context.Context, view vault.View) error {
	missing, err := o.missingPrivileges(ctx, view)
	if err != nil || len(missing) == 0 {
		return err
	}
	return fault.Stop("seed exceeds policy",
		fmt.Errorf("the policy %q of our login does not grant all that the seed needs: %s", o.Name, list(missing, 5)),
		"The seed has grown, or the policy was changed. Nothing was written. Our login cannot widen its own policy. "+
			"From the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run. Or an administrator: "+
			fmt.Sprintf("'vault-bootstrap seed policy --name=%s%s SEED' prints it, 'vault policy write %s -' takes it. Then run again.", o.Name, o.access.flags(), o.Name))
}

// seed applies what is missing, with root on the first run and with our own login
// afterwards.
func (b *Bootstrap) seed(ctx context.Context, look *Look) error {
	hashKey, err := b.remember(ctx, look)
	if err != nil {
		return err
	}
	session := b.behind(look.seenBy)
	if look.Plan == nil || session == nil {
		return errors.New("nothing is planned yet")
	}
	look.Plan.Remember(hashKey)
	result, err := reconcile.Apply(ctx, session, look.Plan, reconcile.Options{
		Parallelism:  b.Parallelism,
		BeforeCreate: func(ctx context.Context, ids []object.ID) error { return b.announce(ctx, look.Checkpoint.Ledger, ids) },
		Done: func(change reconcile.Change, err error) {
			if err == nil {
				b.Log.Info("wrote", "object", string(change.Object.ID), "action", change.Action.String())
			}
		},
	})
	for _, id := range result.Kept {
		b.Log.Warn("the seed no longer names it, and Vault cannot delete it: it stays as it is", "object", string(id))
	}
	for _, left := range look.Plan.Left {
		b.Log.Warn("the seed no longer names it, and it stays", "object", string(left.ID), "reason", left.Reason)
	}
	if saveErr := b.saveLedger(context.WithoutCancel(ctx), look, result); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	point.Reach("seed.applied")
	return err
}

// remember stores what the first look inside has shown: the cluster's ID, and the key for
// the hashes of write-only values, which it returns.
func (b *Bootstrap) remember(ctx context.Context, look *Look) (secret.Value, error) {
	active, _ := look.Active()
	keys := look.StoredKeys
	if keys.Set == nil || keys.Set.ClusterID == active.ClusterID && !keys.HashKey.Empty() {
		return keys.HashKey, nil
	}
	hashKey := keys.HashKey
	err := b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Set != nil && keys.Set.ClusterID == "" {
			keys.Set.ClusterID = active.ClusterID
		}
		if keys.HashKey.Empty() {
			keys.HashKey = newSecret()
		}
		hashKey = keys.HashKey
		return nil
	})
	return hashKey, err
}

// announce writes the ledger ahead of a stage that creates something.
func (b *Bootstrap) announce(ctx context.Context, ledger map[string]store.Ownership, ids []object.ID) error {
	if !slices.ContainsFunc(ids, func(id object.ID) bool { return ledger[string(id)] != store.Intended }) {
		return nil // a try before has announced them
	}
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		own(c, ids, store.Intended)
		return nil
	})
}

func (b *Bootstrap) saveLedger(ctx context.Context, look *Look, result reconcile.Result) error {
	done := len(result.Created) + len(result.Updated) + len(result.Deleted) + len(result.Taken) + len(result.Kept) + len(look.Plan.Forget)
	if done == 0 && reflect.DeepEqual(result.Hashes, look.Checkpoint.Hashes) {
		return nil
	}
	return b.Records.UpdateCheckpoint(ctx, func(c *store.Checkpoint) error {
		own(c, result.Created, store.Created)
		for _, id := range result.Updated {
			if _, known := c.Ledger[string(id)]; !known {
				own(c, []object.ID{id}, store.TakenOver)
			}
		}
		for _, id := range slices.Concat(result.Deleted, result.Taken, result.Kept, look.Plan.Forget) {
			delete(c.Ledger, string(id))
		}
		c.Hashes = result.Hashes
		return nil
	})
}

func own(c *store.Checkpoint, ids []object.ID, how store.Ownership) {
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
