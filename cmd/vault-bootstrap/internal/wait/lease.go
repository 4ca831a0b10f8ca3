package wait

import (
	"context"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// follower is a store that reports changes by itself.
type follower interface {
	FollowMirror(ctx context.Context, seen func(store.Mirror)) error
}

var _ follower = (*kubestore.Store)(nil)

// leaseFeed sends what the Lease shows, at first and after each change.
type leaseFeed struct {
	records  store.Store
	interval time.Duration
	// optional is whether Vault's health shows the same: then the API server is not polled.
	optional bool
	log      *slog.Logger
}

// follow sends until ctx ends. If the store does not report changes, or does not let us watch them,
// it polls.
func (f *leaseFeed) follow(ctx context.Context) <-chan snapshot {
	shown := make(chan snapshot)
	send := func(now snapshot) {
		select {
		case shown <- now:
		case <-ctx.Done():
		}
	}
	go func() {
		latest := forwarder{send: send, log: f.log}
		kube, watches := f.records.(follower)
		waits := pace.Crowd{Longest: f.interval}
		if watches {
			for began := time.Now(); ; began = time.Now() {
				err := kube.FollowMirror(ctx, latest.see)
				if ctx.Err() != nil {
					return
				}
				if kubestore.Denied(err) {
					break // get alone may be allowed
				}
				if err != nil {
					latest.trouble(err)
				}
				if time.Since(began) > f.interval {
					waits.Reset() // it worked for a while
				}
				// Pause even after a watch that the server ended without an error: a server that
				// ends each of them at once would be asked without a pause.
				if !waits.Pause(ctx) {
					return
				}
			}
		}
		if !watches || !f.optional {
			f.poll(ctx, &latest)
		}
	}()
	return shown
}

// poll asks again and again. A denied request may only mean that an RBAC rule has not taken effect
// yet.
func (f *leaseFeed) poll(ctx context.Context, latest *forwarder) {
	waits, began := pace.Crowd{Longest: f.interval}, time.Now()
	for {
		mirror, err := f.records.LeaseMirror(ctx)
		switch {
		case err == nil:
			latest.see(mirror)
		case kubestore.Denied(err) && time.Since(began) > job.SettleTime:
			latest.send(snapshot{denied: err})
		case fault.KindOf(err) != fault.Transient:
			latest.send(snapshot{denied: err})
		default:
			latest.trouble(err)
		}
		if !waits.Pause(ctx) {
			return
		}
	}
}

// forwarder passes on what has changed.
type forwarder struct {
	send func(snapshot)
	log  *slog.Logger
	last store.Mirror
	seen bool
}

// trouble logs why the Lease could not be read.
func (f *forwarder) trouble(err error) {
	f.log.Warn("the Lease could not be read", "error", err.Error(), "remedy", fault.RemedyOf(err))
}

func (f *forwarder) see(mirror store.Mirror) {
	if f.seen && mirror == f.last {
		return // only renewed
	}
	f.send(snapshot{lease: fsm.State(mirror.State), fresh: f.seen})
	f.last, f.seen = mirror, true
}
