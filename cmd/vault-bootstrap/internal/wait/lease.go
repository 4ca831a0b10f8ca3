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

// follower is a store that tells of changes by itself.
type follower interface {
	FollowMirror(ctx context.Context, seen func(store.Mirror)) error
}

var _ follower = (*kubestore.Store)(nil)

// leaseFeed tells what the Lease shows, at first and after each change.
type leaseFeed struct {
	records  store.Store
	interval time.Duration
	// optional is whether Vault's health tells the same: then the API server is not
	// asked again and again.
	optional bool
	log      *slog.Logger
}

// follow tells until ctx ends. Where changes are not told by the store, or may not be
// watched, it asks from time to time.
func (f *leaseFeed) follow(ctx context.Context) <-chan sight {
	shown := make(chan sight)
	tell := func(now sight) {
		select {
		case shown <- now:
		case <-ctx.Done():
		}
	}
	go func() {
		teller := teller{tell: tell, log: f.log}
		kube, watches := f.records.(follower)
		waits := pace.Crowd{Longest: f.interval}
		if watches {
			for began := time.Now(); ; began = time.Now() {
				err := kube.FollowMirror(ctx, teller.see)
				if ctx.Err() != nil {
					return
				}
				if kubestore.Denied(err) {
					break // get alone may be allowed
				}
				if err != nil {
					teller.trouble(err)
				}
				if time.Since(began) > f.interval {
					waits.Reset() // it worked for a while
				}
				// Also after a watch that the server has ended properly: one that ends each of
				// them at once would be asked without a pause.
				if !waits.Pause(ctx) {
					return
				}
			}
		}
		if !watches || !f.optional {
			f.poll(ctx, &teller)
		}
	}()
	return shown
}

// poll asks again and again. That a rule is missing may be that it has not arrived yet.
func (f *leaseFeed) poll(ctx context.Context, teller *teller) {
	waits, began := pace.Crowd{Longest: f.interval}, time.Now()
	for {
		mirror, err := f.records.LeaseMirror(ctx)
		switch {
		case err == nil:
			teller.see(mirror)
		case kubestore.Denied(err) && time.Since(began) > job.SettleTime:
			teller.tell(sight{denied: err})
		case fault.KindOf(err) != fault.Transient:
			teller.tell(sight{denied: err})
		default:
			teller.trouble(err)
		}
		if !waits.Pause(ctx) {
			return
		}
	}
}

// teller passes on what is new.
type teller struct {
	tell func(sight)
	log  *slog.Logger
	last store.Mirror
	seen bool
}

// trouble says why the Lease could not be read.
func (t *teller) trouble(err error) {
	t.log.Warn("the Lease could not be read", "error", err.Error(), "remedy", fault.RemedyOf(err))
}

func (t *teller) see(mirror store.Mirror) {
	if t.seen && mirror == t.last {
		return // renewed, no more
	}
	t.tell(sight{lease: fsm.State(mirror.State), fresh: t.seen})
	t.last, t.seen = mirror, true
}
