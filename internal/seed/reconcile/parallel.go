package reconcile

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// parallelism returns how many requests of a stage run at a time. Audit devices are enabled one by
// one: Vault 1.21 registers a device before it can write its salt, so that a request that ends at
// that moment cannot be logged there ("cannot write to storage during setup"). So are namespaces:
// OpenBao 2.6.2 has hung when two of them were created at the same time.
func parallelism(stage object.Stage, options Options) int {
	if stage == object.StageAudit || stage == object.StageNamespaces {
		return 1
	}
	return max(options.Parallelism, 1)
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
