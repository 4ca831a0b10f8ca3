package states

import (
	"maps"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// recallTime is how long what a look has seen of an object is taken to be so.
const recallTime = 30 * time.Second

// recall is what a walk knows of objects, so that it reads each object once, and again only
// what it has written or has reason to doubt.
//
// Outside a walk it remembers nothing: those who look without holding the Lease do not know
// what others have done since.
type recall struct {
	walking bool
	seen    reconcile.Seen
	// since is when the oldest of it was read.
	since time.Time
	// server is where it was read: an election or another cluster makes it void.
	server string
	// reading, if not nil, sends what has been seen of that which was written last.
	reading <-chan reconcile.Seen
}

// begin begins a walk, and end ends it: nothing is taken over from one to the next.
func (r *recall) begin() { *r = recall{walking: true} }
func (r *recall) end()   { *r = recall{} }

// still returns what need not be read at now: a function, since it may be read as yet.
func (r *recall) still(look *Look, now time.Time) func() reconcile.Seen {
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

// keep takes in what a plan has seen.
func (r *recall) keep(look *Look, plan *reconcile.Plan, now time.Time) {
	if !r.walking {
		return
	}
	if r.seen == nil {
		r.since = now
	}
	r.seen, r.server = plan.Seen(), activeServer(look)
}

// wrote takes in what an act has written, and is known to be as it was written. It is as old
// as the rest: what was read before does not become younger.
func (r *recall) wrote(seen reconcile.Seen) {
	if r.seen != nil {
		maps.Copy(r.seen, seen)
	}
}

// readBack has read called at once, and takes in what it sees before the next plan needs it:
// while the records are written, and the look begins, Vault would have nothing to do.
func (r *recall) readBack(read func() reconcile.Seen) {
	if r.seen == nil {
		return
	}
	seen := make(chan reconcile.Seen, 1)
	r.reading = seen
	go func() { seen <- read() }()
}

// forget has everything be read again.
func (r *recall) forget() {
	*r = recall{walking: r.walking}
}

// activeServer names the active node and the cluster that it is of.
func activeServer(look *Look) string {
	active, _ := look.Observation.Replicas.Active()
	return active.Address + " " + active.ClusterID
}
