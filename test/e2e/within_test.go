package e2e

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const sigterm = syscall.SIGTERM

// within waits until something is so.
func within(t *testing.T, most time.Duration, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	err := testbed.Poll(ctx, 100*time.Millisecond, what, func(context.Context) error {
		if !so() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
