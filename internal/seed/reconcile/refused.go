package reconcile

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
)

// The ledger is written ahead, so what was announced and then refused is in it as if a run had been
// cut off while it created the object. Pruning would try to delete it, run after run.

// notMade reports whether an object that was to be created is known not to exist after err.
//
// A refusal alone does not say so: the answer to an earlier try may have been lost, and the second
// try is refused because of the first. So Vault is asked again.
func (a *applying) notMade(ctx context.Context, c Change, err error) bool {
	if c.Action != Create || !c.Object.Owned() || c.unseen == neverShown {
		return false
	}
	if untried(err) || errors.Is(err, errIgnored) {
		return true
	}
	if code := httpstatus.Of(err); code < http.StatusBadRequest || code >= http.StatusInternalServerError {
		return false
	}
	if listing, path := c.Object.Table(); listing != "" {
		entries, _, err := a.api.Read(ctx, listing)
		_, there := entries[path+"/"]
		return err == nil && !there
	}
	seen, err := readObject(ctx, a.api, c.Object)
	return err == nil && !seen.there && !seen.blind
}

// untried reports whether an object was not tried because another one failed.
func untried(err error) bool {
	return errors.Is(err, errSkipped) || errors.Is(err, errNoNamespace) || errors.Is(err, errStopped)
}

// refuse records what is known not to exist.
func (a *applying) refuse(c Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Refused = append(a.result.Refused, c.Object.ID)
	slices.Sort(a.result.Refused)
}
