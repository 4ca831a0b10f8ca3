package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// applying is one run of Apply.
type applying struct {
	api     API
	plan    *Plan
	options Options
	history *History
	// below holds what to learn about ahead, by mount, and asking who does.
	below  map[object.ID][]object.Object
	asking sync.WaitGroup

	mu       sync.Mutex
	result   Result
	failures []Failure
	// failed holds the objects that could not be created.
	failed map[object.ID]bool
	// answers holds what Vault answered to requests, by namespace and name.
	answers map[string]map[string]any
	// stopped is set when a request failed: later ones are not sent.
	stopped bool
	// halted is the error that ends the run before anything else is written.
	halted error
}

// Apply applies the plan, stage by stage. Unchanged objects are not written.
//
// An object that Vault refuses does not stop the others; those below a mount that failed are
// skipped. An audit device that the server takes only from its configuration ends the run. The
// error then holds an *ApplyError, and is of kind fault.Partial if it is permanent; the one about
// audit devices is terminal and holds none. The Result is correct in any case: the caller saves it
// even if there is an error.
func Apply(ctx context.Context, api API, plan *Plan, options Options) (Result, error) {
	a := &applying{api: api, plan: plan, options: options, failed: map[object.ID]bool{}, answers: map[string]map[string]any{}}
	a.result.Hashes, a.result.Seen = clone(plan.memory.Hashes), Seen{}
	if a.history = options.History; a.history == nil {
		a.history = &History{}
	}
	a.result.Renamed = map[object.ID]object.ID{}
	if err := refused(plan.Refusals); err != nil {
		return a.result, err
	}
	var pending []Change
	for _, c := range plan.Changes {
		if c.Action == None {
			a.keep(c.Object.ID, c.hashes)
		} else {
			pending = append(pending, c)
		}
	}
	if err := a.announce(ctx, pending); err != nil {
		return a.result.sorted(), err
	}
	if slices.ContainsFunc(pending, Change.doubtful) {
		plan.words.writing, a.below = true, firstBelow(pending)
		defer a.asking.Wait()
	}
	for len(pending) > 0 {
		end := slices.IndexFunc(pending, func(c Change) bool { return c.Stage != pending[0].Stage })
		if end < 0 {
			end = len(pending)
		}
		if err := a.stage(ctx, pending[:end]); err != nil {
			return a.result.sorted(), err
		}
		pending = pending[end:]
	}
	if err := a.summary(); err != nil {
		return a.result.sorted(), err
	}
	return a.result.sorted(), plan.Incomplete()
}

// stage applies the changes of one stage. It fails only if the run must stop.
func (a *applying) stage(ctx context.Context, changes []Change) error {
	stage := changes[0].Stage
	for len(changes) > 0 && ctx.Err() == nil {
		// Objects of a stage that depend on each other have an order.
		end := slices.IndexFunc(changes, func(c Change) bool { return c.Object.Order != changes[0].Object.Order })
		if end < 0 {
			end = len(changes)
		}
		a.batch(ctx, changes[:end])
		if a.halted != nil {
			return a.halted
		}
		changes = changes[end:]
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("applying the seed, stage %s: %w", stage, err)
	}
	return nil
}

// batch applies changes that do not depend on each other.
func (a *applying) batch(ctx context.Context, changes []Change) {
	// Failures are recorded, and the others go on, except after one that ends the run.
	_ = each(ctx, len(changes), parallelism(changes[0].Stage, a.options), func(ctx context.Context, i int) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c := changes[i]
		hashes, err := a.attempt(ctx, c)
		if err != nil && a.notMade(ctx, c, err) {
			a.refuse(c)
		}
		a.done(c, hashes, err)
		return a.halt(c, err)
	})
}

// blocked returns why c cannot be applied because another change failed; nil if it can.
func (a *applying) blocked(c Change) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.failed[c.Object.Mount]:
		return errSkipped
	case slices.ContainsFunc(c.Object.Namespaces(), func(id object.ID) bool { return a.failed[id] }):
		return errNoNamespace
	case c.Object.IsRequest() && a.stopped:
		return errStopped
	}
	return nil
}

// answered records Vault's answer to a request.
func (a *applying) answered(o object.Object, answer map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[o.Namespace+strings.TrimPrefix(string(o.ID), o.Namespace+"request:")] = answer
}

// kept records what Vault cannot delete.
func (a *applying) kept(id object.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Kept = append(a.result.Kept, id)
}

// announce records in the ledger what a stage is about to create.
func (a *applying) announce(ctx context.Context, changes []Change) error {
	var ids []object.ID
	for _, c := range changes {
		if c.Action == Create && c.Object.Owned() {
			ids = append(ids, c.Object.ID)
		}
	}
	if len(ids) == 0 || a.options.BeforeCreate == nil {
		return nil
	}
	if err := a.options.BeforeCreate(ctx, ids); err != nil {
		return fmt.Errorf("recording what is about to be created: %w", err)
	}
	return nil
}

// done records the outcome of one change.
func (a *applying) done(c Change, hashes map[string]string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := c.Object.ID
	skipped := untried(err)
	if skipped {
		err = fmt.Errorf("creating %s (%s): %w", id, c.Object.Position, err)
	}
	// An object that Vault wrote without some of its fields exists, and is ours.
	written := err == nil || errors.Is(err, errDropped)
	switch {
	case !written:
		a.failed[id] = c.Action == Create && !skipped
		a.stopped = a.stopped || c.Object.IsRequest()
	case c.Action == Delete:
		a.result.Deleted = append(a.result.Deleted, id)
		a.result.Taken = append(a.result.Taken, c.Holds...)
		hashes = nil
	case c.Action == Create && c.Object.Owned():
		a.result.Created = append(a.result.Created, id)
	case c.Action == Update && c.Object.Owned():
		a.result.Updated = append(a.result.Updated, id)
		if c.renames != "" {
			a.result.Renamed[c.renames] = id
		}
	}
	if err != nil {
		a.failures = append(a.failures, Failure{id, c.Object.Position, err, skipped})
	} else {
		a.keep(id, hashes)
		switch {
		case c.Action == Delete:
		case c.Object.Literal():
			a.result.Seen[c.Object.CanonicalID()] = true
		case len(hashes) == 0 && c.shows() && !a.result.Seen[c.Object.CanonicalID()]:
			a.result.Written = append(a.result.Written, c.Object)
		}
	}
	switch {
	case written && c.Action == Delete:
		a.history.removed()
	case written:
		a.history.wrote(c.Object.CanonicalID())
	}
	if a.options.Done != nil {
		a.options.Done(c, err)
	}
}

// shows reports whether reading the path of c's object shows what c has written there.
func (c Change) shows() bool {
	listing, _ := c.Object.Table()
	return listing == "" && !c.Object.IsRequest() && !c.Object.Traits.Once && !value.Pending(c.Object.Data)
}

// keep replaces what was remembered of id with hashes.
func (a *applying) keep(id object.ID, hashes map[string]string) {
	if a.plan.memory.HashKey.Empty() { // nothing was compared, so nothing is known better
		return
	}
	if len(hashes) == 0 {
		delete(a.result.Hashes, string(id))
		return
	}
	a.result.Hashes[string(id)] = hashes
}

// summary returns the failures as one error, in the order of the seed, with the first remedy there
// is. If Vault refused the objects themselves, it is partial: another try in this run gives the
// same answer.
func (a *applying) summary() error {
	if len(a.failures) == 0 {
		return nil
	}
	slices.SortFunc(a.failures, func(x, y Failure) int {
		return cmp.Or(cmp.Compare(x.Position.File, y.Position.File), cmp.Compare(x.Position.Line, y.Position.Line), cmp.Compare(x.ID, y.ID))
	})
	for _, f := range a.failures {
		a.history.fail(f)
	}
	err := &ApplyError{a.failures, a.history.count()}
	remedy := "Correct what Vault names, at the position given, and run again: only the rest is written."
	for _, f := range slices.Backward(a.failures) {
		if its := fault.RemedyOf(f.Err); its != "" {
			remedy = its
		}
	}
	if err.permanent(a.history) {
		return fault.Part(err, remedy)
	}
	return fault.Wait(err, remedy)
}
