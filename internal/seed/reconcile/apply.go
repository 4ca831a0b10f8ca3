package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// applying is one run of Apply.
type applying struct {
	api     API
	plan    *Plan
	options Options
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
	written int
}

// Apply applies the plan, stage by stage. Unchanged objects are not written.
//
// An object that Vault refuses does not stop the others; those below a mount that failed are
// skipped. The error then holds an *ApplyError, and is of kind fault.Partial if it is permanent.
// The Result is correct in any case: the caller saves it even if there is an error.
func Apply(ctx context.Context, api API, plan *Plan, options Options) (Result, error) {
	a := &applying{api: api, plan: plan, options: options, failed: map[object.ID]bool{}, answers: map[string]map[string]any{}}
	a.result.Hashes, a.result.Seen = clone(plan.memory.Hashes), Seen{}
	if err := plan.refused(); err != nil {
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
		return a.finish(), err
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
			return a.finish(), err
		}
		pending = pending[end:]
	}
	if err := a.summary(); err != nil {
		return a.finish(), err
	}
	return a.finish(), plan.Incomplete()
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
		changes = changes[end:]
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("applying the seed, stage %s: %w", stage, err)
	}
	return nil
}

// batch applies changes that do not depend on each other.
func (a *applying) batch(ctx context.Context, changes []Change) {
	// No failure ends it: each is recorded, and the others go on.
	_ = each(ctx, len(changes), a.parallelism(changes[0].Stage), func(ctx context.Context, i int) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c := changes[i]
		if reason := a.blocked(c); reason != nil {
			a.done(c, nil, reason)
			return nil
		}
		hashes, err := a.write(ctx, c)
		for _, o := range a.below[c.Object.ID] {
			a.asking.Go(func() { a.plan.words.ahead(ctx, o) })
		}
		a.done(c, hashes, err)
		return nil
	})
}

// parallelism returns how many requests of a stage run at a time. Audit devices are enabled one by
// one: Vault 1.21 registers a device before it can write its salt, so that a request that ends at
// that moment cannot be logged there ("cannot write to storage during setup"). So are namespaces:
// OpenBao 2.6.2 hung for good in one run of three that created two of them at the same time.
func (a *applying) parallelism(stage object.Stage) int {
	if stage == object.StageAudit || stage == object.StageNamespaces {
		return 1
	}
	return max(a.options.Parallelism, 1)
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
	skipped := errors.Is(err, errSkipped) || errors.Is(err, errNoNamespace) || errors.Is(err, errStopped)
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
	if written {
		a.written++
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

func (a *applying) finish() Result {
	slices.Sort(a.result.Created)
	slices.Sort(a.result.Updated)
	slices.Sort(a.result.Deleted)
	return a.result
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
	err := &ApplyError{a.failures, a.written}
	remedy := "Correct what Vault names, at the position given, and run again: only the rest is written."
	for _, f := range slices.Backward(a.failures) {
		if its := fault.RemedyOf(f.Err); its != "" {
			remedy = its
		}
	}
	if err.Permanent() {
		return fault.Part(err, remedy)
	}
	return fault.Wait(err, remedy)
}

// each calls do for every index below n, in order and at most parallelism at a time, until one
// fails.
//
// A few goroutines take one index after another. With a goroutine for each index, growing the
// stacks to the depth of an HTTP request took a tenth of the CPU time of a run.
func each(ctx context.Context, n, parallelism int, do func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(max(parallelism, 1), n) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
