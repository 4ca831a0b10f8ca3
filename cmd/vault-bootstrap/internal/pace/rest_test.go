package pace

import (
	"testing"
	"time"
)

// TestRestGrows lets a walk fail again and again, with a fake clock: after the first minute there
// is at most one walk in sixty seconds.
func TestRestGrows(t *testing.T) {
	now := time.Unix(0, 0)
	var r Rest
	var walks []time.Duration
	for at := now; at.Sub(now) < time.Hour; at = at.Add(time.Second) {
		if r.Left(at, false) == 0 {
			walks = append(walks, at.Sub(now))
			r.Walk(at, true)
		}
	}
	for i := 1; i < len(walks); i++ {
		if walks[i] > time.Minute && i+1 < len(walks) && walks[i+1]-walks[i] < time.Minute {
			t.Errorf("walks at %s and %s", walks[i], walks[i+1])
		}
	}
	if last := walks[len(walks)-1] - walks[len(walks)-2]; last != longestRest {
		t.Errorf("the pause has grown to %s, want %s", last, longestRest)
	}
	if len(walks) > 16 {
		t.Errorf("%d walks in an hour", len(walks))
	}
}

func TestRestOfUrgentWork(t *testing.T) {
	now := time.Unix(0, 0)
	var r Rest
	for range 10 {
		r.Walk(now, true)
	}
	if got := r.Left(now, true); got != urgentRest {
		t.Errorf("keys wait for %s, want %s", got, urgentRest)
	}
	if got := r.Left(now.Add(urgentRest), true); got != 0 {
		t.Errorf("after that they still wait for %s", got)
	}
	r.Over()
	r.Walk(now, false)
	if got := r.Left(now, false); got != 0 {
		t.Errorf("a first walk that succeeded is followed by a pause of %s", got)
	}
	r.Walk(now, false)
	if got := r.Left(now, false); got != firstRest {
		t.Errorf("a second walk without rest in between is followed by a pause of %s", got)
	}
}
