package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// errUnchanged marks an object that differs from the seed although it was just written.
var errUnchanged = errors.New("not written a second time")

// attempt applies one change, unless something speaks against it.
func (a *applying) attempt(ctx context.Context, c Change) (hashes map[string]string, err error) {
	if reason := a.blocked(c); reason != nil {
		return nil, reason
	}
	if a.repeats(c) {
		return nil, explain(c, repeated(c))
	}
	hashes, err = a.write(ctx, c)
	for _, o := range a.below[c.Object.ID] {
		a.asking.Go(func() { a.plan.words.ahead(ctx, o) })
	}
	return hashes, err
}

// repeats reports whether c would write what was written a moment ago.
func (a *applying) repeats(c Change) bool {
	return c.Action != None && c.Action != Delete && a.history.hasWritten(c.Object.CanonicalID())
}

// repeated returns why c is not written a second time. Whatever the cause is, the answer to another
// write would be the same, and a run that goes on would write without end.
func repeated(c Change) error {
	if c.Object.IsRequest() {
		return fault.Part(fmt.Errorf("%w: it was just sent, and its condition (unless) still does not hold", errUnchanged),
			"Correct the condition, so that it holds once the request has done its work; without one, a request is sent once. Then run again.")
	}
	if c.Action == Create {
		return fault.Part(fmt.Errorf("%w: it was just written, and Vault does not show it", errUnchanged),
			"Find out who deletes it, in the audit log. If nobody does, remove it from the seed, then run again.")
	}
	differences := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		differences[i] = f.difference()
	}
	return fault.Part(fmt.Errorf("%w: it was just written, and Vault still shows other values: %s", errUnchanged, strings.Join(differences, "; ")),
		"Vault accepts these fields and keeps something else, or somebody else writes them: the audit log shows it. "+
			"Change the seed to what Vault shows, or remove the fields from it, then run again.")
}

// difference returns the field with what Vault shows and what the seed declares, in one line.
func (f FieldChange) difference() string {
	if f.Sensitive || multiline(f.Old) || multiline(f.New) {
		return f.Field
	}
	return fmt.Sprintf("%s is %s, the seed wants %s", f.Field, show(f.Old), show(f.New))
}
