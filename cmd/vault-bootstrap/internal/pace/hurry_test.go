package pace

import (
	"testing"
	"time"
)

// TestHurry asks more often for a server that has gone away, but not forever.
func TestHurry(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h := Hurry{Usual: time.Second}
	for _, step := range []struct {
		after time.Duration
		away  bool
		want  time.Duration
	}{
		{0, false, time.Second},
		{time.Second, true, hurriedInterval},
		{hurryTime, true, hurriedInterval},
		{time.Second, true, time.Second},
		{time.Hour, true, time.Second},
		{0, false, time.Second},
		{time.Second, true, hurriedInterval},
	} {
		now = now.Add(step.after)
		if got := h.Next(now, step.away); got != step.want {
			t.Errorf("at %s, away %t: %s, want %s", now.Format(time.TimeOnly), step.away, got, step.want)
		}
	}
	if h := (Hurry{Usual: 50 * time.Millisecond}); h.Next(now, true) != 50*time.Millisecond {
		t.Error("it asks less often than --health-interval says")
	}
}
