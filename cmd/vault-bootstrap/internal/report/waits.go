package report

import (
	"strings"
	"sync"
	"time"
	"unicode"
)

// waits says how a wait is reported: its reason in full once, then what has become of it.
type waits struct {
	mu       sync.Mutex
	deadline time.Time // when the run gives up; zero if it does not
	reason   string
	said     time.Time
}

// The tries of which each is reported, and how often later ones are.
const (
	reportedTries = 10
	reportEvery   = 30 * time.Second
)

// givesUp sets when the run gives up.
func (w *waits) givesUp(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = at
}

// next reports whether the reason is to be said in full, and whether this try is to be said at all.
// Reasons that differ only in numbers, such as ports and times, are the same.
func (w *waits) next(now time.Time, reason string, attempt int) (inFull, atAll bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	reason = withoutNumbers(reason)
	inFull = attempt <= 1 || reason != w.reason
	atAll = inFull || attempt <= reportedTries || now.Sub(w.said) >= reportEvery
	w.reason = reason
	if atAll {
		w.said = now
	}
	return inFull, atAll
}

// left returns how long it is until the run gives up, such as "9m40s"; "" if it does not.
func (w *waits) left(now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline.IsZero() {
		return ""
	}
	return max(0, w.deadline.Sub(now)).Round(time.Second).String()
}

// withoutNumbers returns a reason without its digits: two that differ only in them are the same to a
// reader.
func withoutNumbers(reason string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, reason)
}
