package reconcile

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// Options says how a plan is carried out.
type Options struct {
	// Parallelism is how many requests run at a time within a stage; less than 1
	// means one.
	Parallelism int
	// BeforeCreate is called once if something is created, before the first write, with
	// the IDs in the order of the plan: the ledger is written ahead, so that a crash
	// orphans nothing. An error stops the run. May be nil.
	BeforeCreate func(ctx context.Context, ids []object.ID) error
	// Done is called after each write with its outcome, one call at a time. May be nil.
	Done func(change Change, err error)
}

// Result is what came of a plan.
type Result struct {
	// Created, Updated and Deleted hold the IDs written, sorted. Requests are not
	// among them: nothing is there afterwards that could be owned.
	Created, Updated, Deleted []object.ID
	// Taken holds what has gone with what was deleted.
	Taken []object.ID
	// Kept holds what the seed no longer names, and Vault cannot delete.
	Kept []object.ID
	// Seen holds what was written and is known to be as it was written: Vault keeps such
	// objects to the letter, or this one was read back at once.
	Seen Seen
	// Written holds what was written besides, and is probably shown as it was written: to
	// be read back.
	Written []object.Object
	// Hashes is what to remember in the place of the Memory given to NewPlan.
	Hashes map[string]map[string]string
}

// ReadBack reads objects that were written, and returns those that Vault shows as they were
// declared. What cannot be read is not among them, and left to the next plan.
func ReadBack(ctx context.Context, api Reader, written []object.Object, parallelism int) Seen {
	shown := make([]bool, len(written))
	_ = each(ctx, len(written), parallelism, func(ctx context.Context, i int) error {
		seen, err := look(ctx, api, written[i])
		shown[i] = err == nil && seen.there && shownAs(written[i], seen.data)
		return ctx.Err()
	})
	seen := Seen{}
	for i, o := range written {
		if shown[i] {
			seen[o.Place()] = true
		}
	}
	return seen
}
