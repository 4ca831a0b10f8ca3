package report

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestWaitsAreSaidOnce(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	w := &waits{}
	full, said := 0, 0
	for attempt := 1; attempt <= 120; attempt++ { // ten minutes
		inFull, atAll := w.next(now, fmt.Sprintf("dial 127.0.0.1:%d: refused", 40000+attempt), attempt)
		if inFull {
			full++
		}
		if atAll {
			said++
		}
		now = now.Add(5 * time.Second)
	}
	if full != 1 || said != 10+18 {
		t.Errorf("said in full %d times and %d times in all, want once and 28 times", full, said)
	}
	if inFull, _ := w.next(now, "another reason", 121); !inFull {
		t.Error("another reason is not said")
	}
	if inFull, _ := w.next(now, "another reason", 1); !inFull {
		t.Error("what begins again is not said")
	}
}

func TestLinesSayWhenTheRunGivesUp(t *testing.T) {
	var b bytes.Buffer
	lines := NewLines(&b, slog.LevelInfo)
	for attempt := 1; attempt <= 2; attempt++ {
		lines.Waiting(errors.New("not yet"), attempt)
	}
	if strings.Contains(b.String(), "gives_up_in") {
		t.Errorf("without a limit it says\n%s", b.String())
	}
	b.Reset()
	lines.GivesUp(time.Now().Add(10 * time.Minute))
	for attempt := 1; attempt <= 3; attempt++ {
		lines.Waiting(errors.New("not yet"), attempt)
	}
	got := b.String()
	if strings.Count(got, "not yet") != 1 || strings.Count(got, `"msg":"still waiting"`) != 2 || !strings.Contains(got, `"gives_up_in":"10m0s"`) {
		t.Errorf("it says\n%s", got)
	}
}
