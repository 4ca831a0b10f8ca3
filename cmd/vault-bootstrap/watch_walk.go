package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// errGaveWay means that a walk gave the Lease back because it only waited: others may
// have something to do.
var errGaveWay = errors.New("giving way")

const (
	// mostWaits is after how many cycles without progress a walk gives way: with the
	// waits between cycles, about 6 s.
	mostWaits = 7
	// acquireTime is how long a walk waits for the Lease. Whoever has it does the same
	// work, so that a new look is worth more than a place in the queue.
	acquireTime = 30 * time.Second
)

// walk takes the Lease, walks to the goal, and gives the Lease back.
func (w *watcher) walk(ctx context.Context) error {
	acquiring, acquired := context.WithTimeout(ctx, acquireTime)
	defer acquired()
	leased, hold, release := waitThenHold(acquiring)
	defer release()
	session, err := store.Begin(leased, w.job.store, w.job.lease(w.report))
	if err != nil {
		return err
	}
	hold()
	defer w.job.guard(always) // what follows only looks, or ends the login
	ctx, cancel := context.WithTimeout(ctx, w.job.options.timeout)
	defer cancel()
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	return w.job.act(ctx, &impatient{w.report, giveWay}, session)
}

// always allows requests that need no Lease.
func always() error { return nil }

// impatient ends a walk that does nothing but wait.
type impatient struct {
	reporter
	giveWay context.CancelCauseFunc
}

// Waiting ends the walk at the last of the waits.
func (r *impatient) Waiting(err error, attempt int) {
	r.reporter.Waiting(err, attempt)
	if attempt >= mostWaits {
		r.giveWay(fault.Wait(fmt.Errorf("%w to others", errGaveWay), fault.RemedyOf(err)))
	}
}

// wait returns when it is time for the next turn: after the pause, or as soon as the
// replicas, the seed or the records have changed, which it reports.
func (w *watcher) wait(ctx context.Context, pause time.Duration, changes <-chan struct{}) (changed bool) {
	over := time.NewTimer(pause)
	defer over.Stop()
	health := time.NewTicker(w.options.healthInterval)
	defer health.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-over.C:
			return false
		case <-changes:
			return true
		case <-health.C:
		}
		replicas := w.job.bootstrap.Look(ctx)
		w.count(replicas)
		seed := fingerprint(w.options.run.seed)
		if seed != w.seed {
			w.seed = seed
			w.report.Log().Info("the seed's files have changed")
			return true
		}
		if differ(w.seen, replicas) {
			return true
		}
	}
}

// differ reports whether a replica is not as it was.
func differ(before, now []fsm.Replica) bool {
	health := map[string]fsm.Health{}
	for _, replica := range before {
		health[replica.Address] = replica.Health
	}
	for _, replica := range now {
		if was, known := health[replica.Address]; !known || was != replica.Health {
			return true
		}
	}
	return len(before) != len(now)
}

// count tells the metrics how the replicas are.
func (w *watcher) count(replicas []fsm.Replica) {
	health := map[string]int{}
	for _, replica := range replicas {
		health[string(replica.Health)]++
	}
	w.metrics.Replicas(health, health[string(fsm.Sealed)])
}

// follow tells when the checkpoint has changed, where the store tells of changes and
// lets us know. Without that, the interval has to do.
func (w *watcher) follow(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	kube, ok := w.job.store.(*store.Kube)
	if !ok {
		return changes
	}
	go func() {
		pause := pace{longest: longestPause}
		for first := true; ctx.Err() == nil; {
			err := kube.FollowCheckpoint(ctx, func(store.Revision) {
				pause.reset()
				if first { // that it is there is no change
					first = false
					return
				}
				select {
				case changes <- struct{}{}:
				default: // one is on its way already
				}
			})
			switch {
			case store.Denied(err):
				w.report.Log().Info("changes of the checkpoint are not heard of at once", "error", err.Error(), "remedy", fault.RemedyOf(err))
				return
			case err != nil && !pause.pause(ctx):
				return
			}
		}
	}()
	return changes
}
