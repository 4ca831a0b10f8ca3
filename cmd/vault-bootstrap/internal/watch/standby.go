package watch

import (
	"context"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// standbyPatience is how long a replica is left to the watch that leads. If that watch was killed,
// this shows only when its Lease has expired, and unsealing needs no Lease: it changes no record,
// and giving a share twice is harmless.
const standbyPatience = time.Second

// standBy opens replicas that stay sealed while another watch leads, or another run holds the Lease,
// until ctx ends.
func (w *Watcher) standBy(ctx context.Context) {
	w.job.Guard(walk.Always)
	hurried := pace.Hurry{Usual: w.options.HealthInterval}
	since := map[string]time.Time{} // since when each replica has been sealed
	tries := pace.Backoff{Longest: longestPause}
	var due time.Time
	logged := ""
	for pace.Pause(ctx, hurried.Next(time.Now(), anyAway(w.seen))) {
		w.renewal.check()
		w.seen = w.job.Bootstrap.Health(ctx)
		w.count(w.seen)
		if !sealedFor(since, w.seen, time.Now()) {
			tries.Reset()
			due, logged = time.Time{}, ""
			continue
		}
		if time.Now().Before(due) {
			continue
		}
		look, err := w.job.Bootstrap.LookOutside(ctx)
		if err == nil && look.StoredKeys.Set != nil {
			err = w.job.Bootstrap.OpenSealed(ctx, look)
		}
		due = time.Now().Add(soon(err, tries.Next()))
		if err != nil && ctx.Err() == nil && err.Error() != logged {
			logged = err.Error()
			w.report.Log().Info("a replica stays sealed while another one leads or holds the lease", "reason", logged, "remedy", fault.RemedyOf(err))
		}
	}
}

// sealedFor notes since when each replica has been sealed, and reports whether any has been for
// longer than standbyPatience.
func sealedFor(since map[string]time.Time, replicas []fsm.Replica, now time.Time) bool {
	for _, replica := range replicas {
		if replica.Health != fsm.Sealed {
			delete(since, replica.Address)
		} else if since[replica.Address].IsZero() {
			since[replica.Address] = now
		}
	}
	return slices.ContainsFunc(replicas, func(r fsm.Replica) bool {
		at, sealed := since[r.Address]
		return sealed && now.Sub(at) >= standbyPatience
	})
}
