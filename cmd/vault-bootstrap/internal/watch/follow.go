package watch

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// checkpointFeed is a store that reports changes of the checkpoint.
type checkpointFeed interface {
	FollowCheckpoint(ctx context.Context, changed func(store.Revision)) error
}

var _ checkpointFeed = (*kubestore.Store)(nil)

// calmFollow is the least time that a request that follows changes lasts if nothing is wrong: the
// server ends it after some minutes.
const calmFollow = time.Minute

// follow sends the revision of the checkpoint when it has changed, if the store reports changes and
// lets us follow them. Otherwise only the interval applies. Only the latest revision waits to be
// received.
func (w *Watcher) follow(ctx context.Context) <-chan store.Revision {
	changes := make(chan store.Revision, 1)
	feed, ok := w.job.Store.(checkpointFeed)
	if !ok {
		return changes
	}
	go func() {
		pause := pace.Backoff{Longest: longestPause}
		known := store.Revision("")
		for ctx.Err() == nil {
			began := time.Now()
			err := feed.FollowCheckpoint(ctx, func(revision store.Revision) {
				first := known == ""
				if revision == known || first { // the first one is not a change
					known = revision
					return
				}
				known = revision
				select {
				case <-changes: // an earlier one that nobody has received
				default:
				}
				changes <- revision
			})
			if kubestore.Denied(err) {
				w.report.Log().Info("changes of the checkpoint are not noticed at once", "error", err.Error(), "remedy", fault.RemedyOf(err))
				return
			}
			if err == nil && time.Since(began) >= calmFollow {
				pause.Reset()
				continue
			}
			if !pause.Pause(ctx) {
				return
			}
		}
	}()
	return changes
}
