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

// untried returns the failures that the seed has a run fix, and that this run has not
// tried to.
func (f *fixes) untried(controls []harden.Result) []harden.Result {
	return slices.DeleteFunc(harden.ToFix(controls), func(result harden.Result) bool { return f.tried[result.ID] })
}

// note keeps that a control was tried to be fixed.
func (f *fixes) note(result harden.Result) {
	if f.tried == nil {
		f.tried = map[string]bool{}
	}
	f.tried[result.ID] = true
}

// fixControls makes the calls that put right what the seed says, and reports whether
// there were any. A fix that did not help is not tried again by the same run.
func (h *hardening) fixControls(ctx context.Context, look *Look) (bool, error) {
	session := h.sessions.behind(look.seenBy)
	results := h.observer.fixes.untried(look.Controls)
	if len(results) > 0 && session == nil {
		return false, errors.New("there is no session to fix controls with")
	}
	for _, result := range results {
		h.observer.recall.forget() // a fix may change what the seed declares
		for _, call := range result.Fix(look.Facts, h.observer.desired.said.Rules.Limits) {
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
