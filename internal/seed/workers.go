package seed

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// each calls do for every index below n, at most parallelism of them at a time and in
// their order, until one fails.
//
// A few goroutines take one index after another. One for each index would have its
// stack grow, by copying, to the depth of an HTTP request: that was a tenth of the CPU
// time of a run.
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
