package states

import (
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// handOver has root make the audit devices and our own login, proves the login, and ends root. It
// returns what the login sees of the seed.
//
// An audit device that is refused is a part of the seed: it holds up neither the login nor the end
// of root, and our login tries again. Where the server takes it from its configuration only, the run
// ends once root has gone.
func (s *seeding) handOver(ctx context.Context, look *Look, root *vault.Session, hashKey secret.Value) (*Look, error) {
	if err := s.enterNamespace(ctx, root); err != nil {
		return nil, err
	}
	_, unaudited := s.apply(ctx, root, look, look.Plan.Only(object.Object.IsAudit), hashKey)
	stops := fault.KindOf(unaudited) == fault.Terminal
	if unaudited != nil && (stops && !reconcile.Refused(unaudited) || ctx.Err() != nil) {
		return nil, unaudited
	}
	point.Reach("login.audited")
	look, err := s.reread(ctx, look)
	if err != nil {
		return nil, err
	}
	byRoot := func(o object.Object) bool {
		return s.observer.desired.ofLogin(o) && !s.observer.desired.growing.writes(o)
	}
	if _, err := s.apply(ctx, root, look, look.Plan.Only(byRoot), hashKey); err != nil {
		return nil, fmt.Errorf("setting up our own login: %w", err)
	}
	point.Reach("login.made")
	if err := s.hardening.endRoot(ctx, look); err != nil {
		return nil, err
	}
	s.observer.own.rootEnded = true
	point.Reach("login.alone")
	if stops {
		return nil, unaudited
	}
	return s.lookAgain(ctx, look)
}

// reread returns a look with the records as they are now.
func (s *seeding) reread(ctx context.Context, look *Look) (*Look, error) {
	next, err := *look, error(nil)
	if next.StoredKeys, err = s.records.Keys(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if next.Checkpoint, err = s.records.Checkpoint(ctx); err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return &next, nil
}

// lookAgain compares Vault with the seed by our own login, within an act.
func (s *seeding) lookAgain(ctx context.Context, look *Look) (*Look, error) {
	next, err := s.reread(ctx, look)
	if err != nil {
		return nil, err
	}
	active, _ := next.Observation.Replicas.Active()
	next.root, next.Plan, next.growth = vault.View{}, nil, growthOff
	next.Observation.Root, next.Observation.Login = fsm.NoRoot, fsm.LoginWorks
	if next.seenBy, _, err = s.observer.access.Ours(ctx, active.Address, next.StoredKeys); err != nil {
		return nil, fmt.Errorf("logging in: %w", err)
	}
	return next, s.observer.lookAtSeed(ctx, next.seenBy, next)
}

// grow writes the policy that is made from the seed, before anything that needs it, and returns what
// our login sees then.
func (s *seeding) grow(ctx context.Context, look *Look, hashKey secret.Value) (*Look, error) {
	session := s.sessions.behind(look.seenBy)
	if look.Plan == nil || session == nil {
		return nil, fmt.Errorf("there is no session to write our policy with")
	}
	if _, err := s.apply(ctx, session, look, look.Plan, hashKey); err != nil && fault.KindOf(err) != fault.Partial {
		return nil, fmt.Errorf("writing the policy that is made from the seed: %w", err)
	}
	point.Reach("policy.grown")
	next, err := s.lookAgain(ctx, look)
	if err == nil && next.growth == growthDue {
		err = fault.Wait(fmt.Errorf("the policy that is made from the seed was written, and our login may not do more than before"), "Waiting for Vault to apply it.")
	}
	return next, err
}

// narrow takes from the policies what only deleting took, now that it is done.
func (s *seeding) narrow(ctx context.Context, session *vault.Session, look *Look) error {
	desired := s.observer.desired
	before := desired.growing.gone(look.Checkpoint)
	if look.growth == growthOff || len(before) == 0 {
		return nil
	}
	checkpoint, err := s.records.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	wide := desired.growing.texts(before)
	for i, narrower := range desired.growing.texts(desired.growing.gone(checkpoint)) {
		if narrower.text == wide[i].text {
			continue
		}
		if _, err := session.Write(ctx, "sys/policies/acl/"+narrower.name, map[string]any{"policy": narrower.text}); err != nil {
			return fmt.Errorf("narrowing the policy %q: %w", narrower.name, err)
		}
		s.setting.done.note((*Changes).updated, "sys/policies/acl/"+narrower.name)
		s.setting.Log.Info("narrowed", "policy", narrower.name)
		point.Reach("policy.narrowed")
	}
	return nil
}
