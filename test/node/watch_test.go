package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestWatch installs the chart's Deployment beside a Vault that is not initialized,
// and then only looks on: at what it does by itself, when a replica comes back
// sealed, and when the seed changes.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	s.release("install", chartValues("watch", "first"), "--wait")
	s.until(2*time.Minute, "the Lease to say hardened", s.hardened)
	s.wantHardened(3)
	if got := s.checkpoint().events(); !slices.Equal(got, everything) {
		t.Errorf("the events were %v, want %v", got, everything)
	}

	t.Run("deleted replicas are unsealed", func(t *testing.T) {
		s := s.in(t)
		for _, replica := range []int{1, 0} {
			s.wantUnsealedAfterDeletion(replica)
		}
	})
	t.Run("a changed seed is applied", func(t *testing.T) {
		s := s.in(t)
		s.release("upgrade", chartValues("watch", "first", "second"), "--wait")
		s.until(time.Minute, "the new policy", func(context.Context) error {
			if got := s.written(3); !slices.Contains(got, "update sys/policies/acl/second") {
				return fmt.Errorf("written was %v", got)
			}
			return nil
		})
		s.until(time.Minute, "the Lease to say hardened", s.hardened)
	})
}

// hardened says whether the Lease does.
func (s *site) hardened(ctx context.Context) error {
	if got := s.stateNow(ctx); got != "hardened" {
		return fmt.Errorf("it says %q", got)
	}
	return nil
}

// unsealLimit is what the issue promises, from when a replica listens.
const unsealLimit = 10 * time.Second

// wantUnsealedAfterDeletion deletes a replica's pod, and measures the time from when
// its successor listens to when that is unsealed.
func (s *site) wantUnsealedAfterDeletion(replica int) {
	s.t.Helper()
	name := fmt.Sprintf("vault-%d", replica)
	before := s.kubectl("get", "pod", name, "-o=jsonpath={.metadata.uid}")
	s.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
	s.until(2*time.Minute, name+" to listen again", func(ctx context.Context) error {
		if now := s.kubectl("get", "pod", name, "--ignore-not-found", "-o=jsonpath={.metadata.uid}"); now == before || now == "" {
			return fmt.Errorf("the pod is the old one, or none")
		}
		_, err := s.health(ctx, name)
		return err
	})
	took := s.until(time.Minute, name+" to be unsealed", func(ctx context.Context) error {
		h, err := s.health(ctx, name)
		if err == nil && (h.Sealed || !h.Initialized) {
			err = fmt.Errorf("it says %+v", h)
		}
		return err
	})
	if took > unsealLimit {
		s.t.Errorf("%s was sealed for %s after it listened, want at most %s", name, took, unsealLimit)
	}
}
