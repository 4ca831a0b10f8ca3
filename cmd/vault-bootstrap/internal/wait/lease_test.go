package wait

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// hasty is a store whose watches end at once, without an error.
type hasty struct {
	store.Store
	watches int
}

func (h *hasty) FollowMirror(_ context.Context, seen func(store.Mirror)) error {
	if h.watches++; h.watches > 1000 {
		panic("asked without a pause")
	}
	seen(store.Mirror{})
	return nil
}

// TestFollowPausesAfterAProperEnd counts the watches of a minute.
func TestFollowPausesAfterAProperEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		records := &hasty{}
		feed := &leaseFeed{records: records, interval: 4 * time.Second, log: slog.New(slog.DiscardHandler)}
		shown := feed.follow(ctx)
		for open := true; open; {
			select {
			case <-shown:
			case <-ctx.Done():
				open = false
			}
		}
		synctest.Wait()
		if records.watches < 10 || records.watches > 61 {
			t.Errorf("%d watches in a minute", records.watches)
		}
	})
}
