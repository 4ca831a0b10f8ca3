package reconcile

import (
	"context"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// Options say how a plan is applied.
type Options struct {
	// Parallelism is how many requests run at a time within a stage; less than 1
	// means one.
	Parallelism int
	// BeforeCreate is called once if the plan creates something, before the first write, with the
	// IDs in the order of the plan: the ledger is written in advance, so that a crash orphans
	// nothing. An error stops the run. May be nil.
	BeforeCreate func(ctx context.Context, ids []object.ID) error
	// History is what earlier calls in the same walk have come to, and is added to. What one of
	// them wrote and still differs is not written again, and fails. nil is an empty one.
	History *History
	// Done is called after each write with its outcome, one call at a time. May be nil.
	Done func(change Change, err error)
}

// Result is the result of applying a plan.
type Result struct {
	// Created, Updated and Deleted hold the IDs written, sorted. Requests are not included: they
	// leave nothing behind that could be owned.
	Created, Updated, Deleted []object.ID
	// Renamed holds the aliases that have another name now: the ID before → the ID after.
	Renamed map[object.ID]object.ID
	// Taken holds what was deleted together with its mount or namespace.
	Taken []object.ID
	// Refused holds what was to be created and is known not to exist: Vault refused it, or it was
	// not tried.
	Refused []object.ID
	// Kept holds what the seed no longer names but Vault cannot delete.
	Kept []object.ID
	// Seen holds the written objects that are known to match: Vault keeps them verbatim, or they
	// were read back at once.
	Seen Seen
	// Written holds the other written objects that Vault probably shows as they were written:
	// they are still to be read back.
	Written []object.Object
	// Hashes is what to remember instead of the Memory given to NewPlan.
	Hashes map[string]map[string]string
}

// ReadBack reads objects that were written, and returns those that Vault shows as they were
// declared. Those that cannot be read are left out, for the next plan.
func ReadBack(ctx context.Context, api Reader, written []object.Object, parallelism int) Seen {
	shown := make([]bool, len(written))
	_ = each(ctx, len(written), parallelism, func(ctx context.Context, i int) error {
		seen, err := readObject(ctx, api, written[i])
		shown[i] = err == nil && seen.there && shownAs(written[i], seen.data)
		return ctx.Err()
	})
	seen := Seen{}
	for i, o := range written {
		if shown[i] {
			seen[o.CanonicalID()] = true
		}
	}
	return seen
}

// sorted returns the result with its lists in order.
func (r Result) sorted() Result {
	slices.Sort(r.Created)
	slices.Sort(r.Updated)
	slices.Sort(r.Deleted)
	return r
}
