package states

import (
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// recallTime is how long what a look has seen of an object is taken to be so.
const recallTime = 30 * time.Second

// recall is what the looks of one walk have seen of objects, so that a walk reads each
// object once, and again only what it has written or has reason to doubt.
//
// A nil recall remembers nothing: those who look without holding the Lease do not know what
// others have done since.
type recall struct {
	seen reconcile.Seen
	// since is when the oldest of it was read.
	since time.Time
	// server is where it was read: an election or another cluster makes it void.
	server string
}

// still returns what need not be read at now.
func (r *recall) still(look *Look, now time.Time) reconcile.Seen {
	if r == nil || r.server != activeServer(look) || now.Sub(r.since) > recallTime || now.Before(r.since) {
		r.forget()
		return nil
	}
	return r.seen
}

// keep takes in what a plan has seen.
func (r *recall) keep(look *Look, plan *reconcile.Plan, now time.Time) {
	if r == nil {
		return
	}
	if r.seen == nil {
		r.since = now
	}
	r.seen, r.server = plan.Seen(), activeServer(look)
}

// forget has everything be read again.
func (r *recall) forget() {
	if r != nil {
		*r = recall{}
	}
}

// activeServer names the active node and the cluster that it is of.
func activeServer(look *Look) string {
	active, _ := look.Active()
	return active.Address + " " + active.ClusterID
}
