package verify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// until looks again until the report is as expected, and returns it.
func (p *program) until(t *testing.T, name string, is func(map[string]shown) bool) (found map[string]shown) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := testbed.Poll(ctx, 500*time.Millisecond, name, func(context.Context) error {
		var err error
		if found, err = p.look(t); err != nil {
			return err
		}
		if !is(found) {
			return fmt.Errorf("not yet: %v, %v", found["raft-quorum"], found["raft-dead-peers"])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
