package main

import (
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

// TestHurry asks more often about a server that has gone away, and not for ever.
func TestHurry(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h := hurry{usual: time.Second}
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
		if got := h.next(now, step.away); got != step.want {
			t.Errorf("at %s, away %t: %s, want %s", now.Format(time.TimeOnly), step.away, got, step.want)
		}
	}
	if h := (hurry{usual: 50 * time.Millisecond}); h.next(now, true) != 50*time.Millisecond {
		t.Error("it asks less often than --health-interval says")
	}
	if anyAway([]fsm.Replica{{Health: fsm.Active}, {Health: fsm.Sealed}}) || !anyAway([]fsm.Replica{{Health: fsm.Active}, {Health: fsm.NoAnswer}}) {
		t.Error("a sealed server answers, and one that is gone does not")
	}
}
