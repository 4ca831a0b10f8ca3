package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// settles reports whether something is so before its time is up, for tests that say
// themselves what was lost when it is not.
func settles(t *testing.T, most time.Duration, so func() bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	return testbed.Poll(ctx, 100*time.Millisecond, "what is waited for", func(context.Context) error {
		if !so() {
			return errors.New("not yet")
		}
		return nil
	}) == nil
}
