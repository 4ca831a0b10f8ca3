package states

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

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
			h.setting.Log.Info("fixed", "control", result.ID, "seen", result.Seen, "call", call.String())
		}
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
