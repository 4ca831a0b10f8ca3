package fencing

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

var _ recent = (*kubestore.Store)(nil)

// Retrying gives up on a conflict that does not end, and at once if the context has ended.
func TestConflictsEnd(t *testing.T) {
	tries := 0
	conflict := func() error { tries++; return fmt.Errorf("writing: %w", store.ErrConflict) }
	if err := retryConflicts(t.Context(), 3, conflict); !errors.Is(err, store.ErrConflict) || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if err := retryConflicts(ctx, 3, conflict); !errors.Is(err, cause) || tries != 4 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestFencedErrorsSayWhy(t *testing.T) {
	session := &Session{epoch: 5}
	for stored, want := range map[int64]struct {
		sentinel error
		says     string
	}{
		0: {ErrDeleted, "created again"}, 4: {ErrFenced, "restored from an earlier copy"}, 6: {ErrFenced, "its epoch is 6, ours is 5"},
	} {
		if err := session.fenced(stored); !errors.Is(err, want.sentinel) || fault.RemedyOf(err) == "" {
			t.Errorf("%d: %v", stored, err)
		}
	}
}

func TestRevisionsAreForgotten(t *testing.T) {
	var made revisions
	if made.last() != "" {
		t.Error("there is a revision before the first")
	}
	for i := range maxRevisions + 2 {
		made.add(store.Revision(fmt.Sprint("r/", i)))
	}
	if made.contains("r/1") || !made.contains("r/2") || made.last() != store.Revision(fmt.Sprint("r/", maxRevisions+1)) {
		t.Errorf("the last is %q", made.last())
	}
}
