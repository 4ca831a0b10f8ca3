package pace

import "time"

const (
	// hurriedInterval is how often a server that has just gone away is asked, so that it is
	// unsealed soon after it listens again. It is asked only for its health, which costs it next to
	// nothing.
	hurriedInterval = 200 * time.Millisecond
	// hurryTime is how long that lasts. If a server is away for longer, a second or two more do not
	// matter.
	hurryTime = 2 * time.Minute
)

// Hurry returns the waits between health checks.
type Hurry struct {
	Usual time.Duration
	since time.Time // since when a server has been away; zero if none is
}

// Next returns the wait after an answer; away is whether a server did not answer.
func (h *Hurry) Next(now time.Time, away bool) time.Duration {
	switch {
	case !away:
		h.since = time.Time{}
		return h.Usual
	case h.since.IsZero():
		h.since = now
	}
	if now.Sub(h.since) > hurryTime {
		return h.Usual
	}
	return min(hurriedInterval, h.Usual)
}
