package pace

import "time"

// The pauses between walks that follow one another: the first, the factor by which each grows, and
// the longest. Storing keys and opening replicas is tried more often.
const (
	firstRest   = 5 * time.Second
	restGrows   = 3
	longestRest = 5 * time.Minute
	urgentRest  = 10 * time.Second
)

// Rest returns the pauses between walks. A walk that has reached the goal is followed by a look
// that finds nothing to do; until then each walk counts as another try at the same work, even if it
// succeeded, and the next try waits longer.
type Rest struct {
	walks  int           // since there was nothing to do
	last   time.Duration // the pause after the latest walk
	walked time.Time
}

// Over starts over: there is nothing to do, or what failed may succeed now.
func (r *Rest) Over() { *r = Rest{} }

// Walk records a walk that has ended now.
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

// Left returns how long to wait for the next walk; urgent is whether it would store keys or open a
// replica.
func (r *Rest) Left(now time.Time, urgent bool) time.Duration {
	pause := r.last
	if urgent {
		pause = min(pause, urgentRest)
	}
	return max(0, pause-now.Sub(r.walked))
}
