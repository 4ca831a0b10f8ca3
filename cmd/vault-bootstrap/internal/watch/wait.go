package watch

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// wait returns when it is time for the next turn: after the pause, or as soon as the replicas, the
// seed or the records have changed. It reports whether they have.
func (w *Watcher) wait(ctx context.Context, pause time.Duration, changes <-chan store.Revision) (changed bool) {
	over := time.NewTimer(pause)
	defer over.Stop()
	hurried := pace.Hurry{Usual: w.options.HealthInterval}
	health := time.NewTimer(hurried.Next(time.Now(), anyAway(w.seen)))
	defer health.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-over.C:
			return false
		case revision := <-changes:
			if w.session == nil || !w.session.WroteCheckpoint(revision) {
				return true
			}
			continue
		case <-health.C:
		}
		renewed := w.renewal.check()
		replicas := w.job.Bootstrap.Health(ctx)
		health.Reset(hurried.Next(time.Now(), anyAway(replicas)))
		w.count(replicas)
		seed := fingerprint(w.options.Run.Seed)
		if seed != w.seed {
			w.seed = seed
			w.report.Log().Info("the seed's files have changed")
			return true
		}
		if renewed || differ(w.seen, replicas) {
			return true
		}
	}
}

// differ reports whether the health of any replica has changed.
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

// count updates the metrics of the replicas' health; none are known if finding them has failed.
func (w *Watcher) count(replicas []fsm.Replica) {
	health := map[string]int{}
	for _, replica := range replicas {
		health[string(replica.Health)]++
	}
	w.metrics.Replicas(health, string(fsm.NoAnswer), string(fsm.Sealed))
}

// anyAway reports whether a replica does not answer.
func anyAway(replicas []fsm.Replica) bool {
	for _, replica := range replicas {
		if replica.Health == fsm.NoAnswer {
			return true
		}
	}
	return false
}
