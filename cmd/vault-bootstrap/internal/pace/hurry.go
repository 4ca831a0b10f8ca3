package pace

import "time"

const (
	// hurriedInterval is how often a server is asked that has just gone away: whoever waits
	// for it to be unsealed waits from when it listens again. It is asked about its health
	// only, which costs it next to nothing.
	hurriedInterval = 200 * time.Millisecond
	// hurryTime is for how long that is done. A server that is away for longer is not missed
	// by a second or two.
	hurryTime = 2 * time.Minute
)

// Hurry makes the waits between questions about health.
type Hurry struct {
	Usual time.Duration
	since time.Time // from when on something is away; zero if nothing is
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
