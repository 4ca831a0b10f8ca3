package report

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// screen is a terminal's output that can be read while it is written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestReportThatEndsAtOnce closes the report before the drawing has begun: many times, since it
// depends on which goroutine comes first.
func TestReportThatEndsAtOnce(t *testing.T) {
	for range 50 {
		NewTerminal(&screen{}, slog.LevelInfo).Close(true)
	}
}

func TestReportOnATerminal(t *testing.T) {
	shown := &screen{}
	report := NewTerminal(shown, slog.LevelInfo)
	const answer = "waiting for an answer from https://a-very-long-address.example.org:8200, which does not come, and does not come"
	waiting := fault.Wait(errors.New(answer), "Check whether it runs.")
	for attempt := range 4 {
		waiting.Err = fmt.Errorf("%s (port %d)", answer, 50000+attempt) // which is another one each time
		report.Waiting(waiting, attempt+1)
	}
	report.Located(fsm.Uninitialized)
	report.Began(fsm.Initialize, fsm.Uninitialized)
	report.Entered(fsm.Transition{From: fsm.Uninitialized, Event: fsm.Initialize, To: fsm.Initialized})
	report.Began(fsm.Drift, fsm.Hardened)
	report.Entered(fsm.Transition{From: fsm.Hardened, Event: fsm.Drift, To: fsm.Unsealed, Reason: fsm.Reason{Text: "the seed has changed: 2 objects differ", Asked: true}})
	report.Began(fsm.Unseal, fsm.Initialized)
	report.Log().Warn("a warning", "replica", "b")
	report.Failed(fsm.Unseal, fault.Stop("x", errors.New("broken"), ""))
	report.Close(true)

	text := shown.String()
	for _, want := range []string{answer, "Check whether it runs.", "it is uninitialized", "initialize Vault: it is initialized", "the seed has changed: 2 objects differ", "warn: a warning  replica=b", "failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen lacks %q:\n%s", want, text)
		}
	}
	if got := strings.Count(text, "Check whether it runs."); got != 1 {
		t.Errorf("the remedy is shown %d times", got)
	}
}
