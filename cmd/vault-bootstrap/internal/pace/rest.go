package pace

import "time"

// The pauses between walks that have not led to rest: the first, by how much each is longer
// than the one before, and the longest. Bringing keys to safety and opening replicas is
// tried more often.
const (
	firstRest   = 5 * time.Second
	restGrows   = 3
	longestRest = 5 * time.Minute
	urgentRest  = 10 * time.Second
)

// Rest makes the pauses between walks. A walk that has reached the goal is followed by a
// look that finds nothing to do; until then each walk is a try at the same work, also one
// that succeeded, and the next try waits longer.
type Rest struct {
	walks  int           // since there was nothing to do
	last   time.Duration // the pause after the latest walk
	walked time.Time
}

// Over begins anew: there is nothing to do, or what failed may not fail any more.
func (r *Rest) Over() { *r = Rest{} }

// Walk notes a walk that has ended now.
func (r *Rest) Walk(now time.Time, failed bool) {
	r.walks++
	r.walked = now
	switch {
	case r.walks == 1 && !failed:
		r.last = 0
	case r.last == 0:
		r.last = firstRest
	default:
		r.last = min(r.last*restGrows, longestRest)
	}
}

// Left returns how long to wait for the next walk; urgent is whether it would bring keys to
// safety or open a replica.
func (r *Rest) Left(now time.Time, urgent bool) time.Duration {
	pause := r.last
	if urgent {
		pause = min(pause, urgentRest)
	}
	return max(0, pause-now.Sub(r.walked))
}
