package states

import (
	"maps"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// recallTime is how long what a look has seen of an object is taken to be current.
const recallTime = 30 * time.Second

// recall is what a walk knows about objects, so that it reads each object once, and again only if
// it has written it or has reason to doubt it.
//
// Outside a walk it remembers nothing: without the Lease, others may have changed anything since.
type recall struct {
	walking bool
	seen    reconcile.Seen
	// since is when the oldest object was read.
	since time.Time
	// server is where the objects were read: an election or another cluster invalidates them.
	server string
	// reading, if not nil, sends what was seen of the objects written last.
	reading <-chan reconcile.Seen
}

// begin begins a walk, and end ends it: nothing carries over from one to the next.
func (r *recall) begin() { *r = recall{walking: true} }
func (r *recall) end()   { *r = recall{} }

// fresh returns what need not be read again at now: a function, since some is still being read.
func (r *recall) fresh(look *Look, now time.Time) func() reconcile.Seen {
	if !r.walking || r.server != activeServer(look) || now.Sub(r.since) > recallTime || now.Before(r.since) {
		r.forget()
		return nil
	}
	return func() reconcile.Seen {
		if r.reading != nil {
			maps.Copy(r.seen, <-r.reading)
			r.reading = nil
		}
		return r.seen
	}
}

// keep remembers what a plan has seen.
func (r *recall) keep(look *Look, plan *reconcile.Plan, now time.Time) {
	if !r.walking {
		return
	}
	if r.seen == nil {
		r.since = now
	}
	r.seen, r.server = plan.Seen(), activeServer(look)
}

// wrote remembers what an act has written, which is now known to be so. It counts as old as the
// rest: what was read before does not become younger.
func (r *recall) wrote(seen reconcile.Seen) {
	if r.seen != nil {
		maps.Copy(r.seen, seen)
	}
}

// readBack calls read at once, and the next plan waits for what it has seen:
// while the records are written and the look begins, Vault would be idle.
func (r *recall) readBack(read func() reconcile.Seen) {
	if r.seen == nil {
		return
	}
	seen := make(chan reconcile.Seen, 1)
	r.reading = seen
	go func() { seen <- read() }()
}

// forget makes the next look read everything again.
func (r *recall) forget() {
	*r = recall{walking: r.walking}
}

// activeServer names the active node and its cluster.
func activeServer(look *Look) string {
	active, _ := look.Observation.Replicas.Active()
	return active.Address + " " + active.ClusterID
}

// applied is what a walk has applied. An object that was written and differs from the seed all the
// same is not written again in the same walk: a server that drops a field would otherwise be
// written to without end. The next walk comes after a pause, and tries once.
type applied struct {
	// cluster is where it was applied: a Vault that was initialized anew has none of it.
	cluster string
	history *reconcile.History
}

// to returns what was applied to a cluster.
func (a *applied) to(cluster string) *reconcile.History {
	if a.cluster != cluster || a.history == nil {
		a.cluster, a.history = cluster, &reconcile.History{}
	}
	return a.history
}
