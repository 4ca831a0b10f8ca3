package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// hardening proves that later runs can do without root, and revokes the root token.
type hardening struct {
	setting  *Setting
	records  *held
	observer *Observer
	sessions *sessions
	delivery *Delivery
}

// act proves that later runs can do without root, then revokes the root token and forgets it.
func (h *hardening) act(ctx context.Context, look *Look) (err error) {
	keys := look.StoredKeys
	ended := h.observer.own.rootEnded
	defer func() { h.observer.own.rootEnded = ended && err != nil }()
	fixed, err := h.fixControls(ctx, look)
	asRoot := keys.Root != nil || h.sessions.breakGlass.Active() || h.observer.given.inUse()
	if err != nil || fixed && !asRoot {
		return err // the next look shows what is left to do
	}
	if !asRoot {
		if err := unmet(look.Controls); err != nil || !ended {
			return err
		}
		// By a new login: the seed may have taken something from it since.
		active, _ := look.Observation.Replicas.Active()
		return h.proveLogin(ctx, active.Address, look)
	}
	if look.Observation.Root == fsm.LiveRoot {
		return h.endRoot(ctx, look)
	}
	return h.forgetRoot(ctx, look)
}

// endRoot proves that later runs can do without root, then ends root: the token of the first run, of
// a break-glass, or the one that a person has given.
func (h *hardening) endRoot(ctx context.Context, look *Look) error {
	active, found := look.Observation.Replicas.Active()
	if !found {
		return errors.New("no replica is active")
	}
	if err := h.proveLogin(ctx, active.Address, look); err != nil {
		return err
	}
	if h.observer.given.inUse() {
		point.Reach("given.proven")
		if err := h.endGiven(ctx, look); err != nil {
			return fmt.Errorf("revoking the token in %s: %w", h.observer.given.From, err)
		}
		return nil
	}
	if err := h.ensureCredential(ctx, active.Address, look); err != nil {
		return err
	}
	point.Reach("login.proven")
	if err := h.revokeRoot(ctx, look, look.StoredKeys); err != nil {
		return fmt.Errorf("revoking the root token: %w", err)
	}
	return h.forgetRoot(ctx, look)
}

// forgetRoot forgets the root token of the first run, which is dead.
func (h *hardening) forgetRoot(ctx context.Context, look *Look) error {
	point.Reach("harden.revoked")
	if origin := look.StoredKeys.Origin(); origin != nil {
		// A run that was killed between storing the keys and forgetting the spool left it; the key
		// that opens it is dropped below.
		h.delivery.unspool(origin.ID)
	}
	return h.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.Root = nil
		// The stored shares have unsealed Vault: the answer as it came, and the key that opens it,
		// are no longer needed. What other attempts have left stays: it opens another Vault's data,
		// if anything.
		if origin := keys.Origin(); origin != nil {
			origin.PrivateKey, origin.Answer = secret.Value{}, nil
		}
		return nil
	})
}

// unmet names the required controls that no run can repair.
func unmet(controls []harden.Result) error {
	failed := harden.Failed(controls, true)
	if len(failed) == 0 {
		return nil
	}
	remedy := failed[0].Remedy
	if len(failed) > 1 {
		remedy = "Run 'vault-bootstrap verify' with this seed: it says for each of them what to do."
	}
	names := make([]string, len(failed))
	for i, result := range failed {
		names[i] = result.Message()
	}
	return fault.Stop("control fails", fmt.Errorf("required controls do not hold: %s", strings.Join(names, "; ")), remedy)
}

// fixes are the controls that a run has tried to fix, by their IDs.
type fixes struct{ tried map[string]bool }

// untried returns the failed controls that the seed asks a run to fix, and that this run has not
// tried to fix.
func (f *fixes) untried(controls []harden.Result) []harden.Result {
	return slices.DeleteFunc(harden.ToFix(controls), func(result harden.Result) bool { return f.tried[result.ID] })
}

// note remembers that a run has tried to fix a control.
func (f *fixes) note(result harden.Result) {
	if f.tried == nil {
		f.tried = map[string]bool{}
	}
	f.tried[result.ID] = true
}

// fixControls fixes the controls that the seed says to fix, and reports whether there were any. The
// same run does not repeat a fix that did not help.
func (h *hardening) fixControls(ctx context.Context, look *Look) (bool, error) {
	session := h.sessions.behind(look.seenBy)
	results := h.observer.fixes.untried(look.Controls)
	if len(results) > 0 && session == nil {
		return false, errors.New("there is no session to fix controls with")
	}
	for _, result := range results {
		h.observer.recall.forget() // a fix may change what the seed declares, too
		for _, call := range result.Fix(look.Facts, h.observer.desired.declaration.Rules.Limits) {
			if err := send(ctx, session, call); err != nil {
				return false, fmt.Errorf("fixing the control %q (%s): %w", result.ID, call, err)
			}
			h.setting.Log.Info("fixed", "control", result.ID, "seen", result.Found(), "call", call.String())
		}
		h.setting.done.note((*Changes).fixed, result.ID)
		h.observer.fixes.note(result)
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
