package report

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// terminalReporter shows a live list of steps with elapsed times.
type terminalReporter struct {
	writer  progress.Writer
	stopped chan struct{}
	log     *slog.Logger
	looked  bool // the driver calls one method at a time

	mu     sync.Mutex
	step   *progress.Tracker // the current step
	reason string            // the last reason for waiting that was shown in full, without numbers
	waits  waits
}

// The width of a step's text, and how often the list is drawn.
const (
	stepWidth = 64
	drawEvery = 100 * time.Millisecond
)

// NewTerminal returns a report that is drawn on a terminal until it is closed.
func NewTerminal(w io.Writer, level slog.Level) Reporter {
	r := &terminalReporter{writer: progress.NewWriter(), stopped: make(chan struct{})}
	r.writer.SetOutputWriter(w)
	r.writer.SetUpdateFrequency(drawEvery)
	r.writer.SetMessageLength(stepWidth)
	r.writer.SetStyle(stepStyle())
	r.log = slog.New(&noteHandler{reporter: r, level: level})
	go func() {
		defer close(r.stopped)
		r.writer.Render()
	}()
	r.begin("look at Vault")
	return r
}

func stepStyle() progress.Style {
	style := progress.StyleDefault
	style.Options.DoneString = "done"
	style.Options.ErrorString = "failed"
	style.Options.Separator = "  "
	style.Options.TimeDonePrecision = 10 * time.Millisecond
	style.Options.TimeInProgressPrecision = 100 * time.Millisecond
	style.Visibility = progress.StyleVisibility{Time: true}
	style.Colors.Error = text.Colors{text.FgRed}
	style.Colors.Time = text.Colors{text.Faint}
	return style
}

func (r *terminalReporter) Log() *slog.Logger { return r.log }

func (r *terminalReporter) begin(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.step != nil {
		r.step.MarkAsDone()
	}
	r.step = &progress.Tracker{Message: message}
	r.writer.AppendTracker(r.step)
	r.step.Start()
}

// end finishes the current step.
func (r *terminalReporter) end(message string, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.step == nil {
		return
	}
	if message != "" {
		r.step.UpdateMessage(message)
	}
	if failed {
		r.step.MarkAsErrored()
	} else {
		r.step.MarkAsDone()
	}
	r.step = nil
}

// note shows what the current step is doing.
func (r *terminalReporter) note(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.step != nil {
		r.step.UpdateMessage(message)
	}
}

// GivesUp has waits show when the run gives up.
func (r *terminalReporter) GivesUp(at time.Time) { r.waits.givesUp(at) }

// Waiting shows the reason, once in full on its own line.
func (r *terminalReporter) Waiting(err error, attempt int) {
	r.mu.Lock()
	// A wait that ends with the second try is not worth a line.
	said := withoutNumbers(err.Error())
	inFull := attempt > 1 && r.reason != said
	if inFull {
		r.reason = said
	}
	idle := r.step == nil
	r.mu.Unlock()
	if idle {
		r.begin("wait")
	}
	if inFull {
		r.writer.Log("%s", strings.TrimSpace(err.Error()+"\n  "+fault.RemedyOf(err)))
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	if left := r.waits.left(time.Now()); left != "" && attempt > 1 {
		reason = fmt.Sprintf("try %d, gives up in %s: %s", attempt, left, reason)
	}
	r.note("waiting: " + reason)
}

// Located ends the first look.
func (r *terminalReporter) Located(state fsm.State) {
	if !r.looked {
		r.looked = true
		r.end("look at Vault: "+found[state], false)
	}
}

// found describes each state as a first look finds it, and steps names what each act does.
var (
	found = map[fsm.State]string{
		fsm.Uninitialized: "it is uninitialized", fsm.Initialized: "it is sealed", fsm.Unsealed: "it is open",
		fsm.Seeded: "it is open, and the seed is applied", fsm.Hardened: "it is hardened",
	}
	steps = map[fsm.Event]string{
		fsm.Initialize: "initialize Vault", fsm.Unseal: "unseal Vault", fsm.Seed: "apply the seed", fsm.Harden: "harden Vault",
		fsm.Seal: "compare with the record", fsm.Drift: "compare with the record", fsm.Weaken: "compare with the record",
	}
)

func (r *terminalReporter) Began(event fsm.Event, _ fsm.State) { r.begin(steps[event]) }

func (r *terminalReporter) Failed(event fsm.Event, err error) {
	if fault.KindOf(err) != fault.Transient {
		r.end(steps[event], true)
	}
}

func (r *terminalReporter) Entered(t fsm.Transition) {
	if t.Event == "" {
		return // Located has shown it
	}
	if t.Reason.Text != "" {
		r.end(t.Reason.Text, false)
		return
	}
	r.end(fmt.Sprintf("%s: it is %s", steps[t.Event], t.To), false)
}

// Close draws the list a last time. If the run failed, its unfinished step has failed with it.
func (r *terminalReporter) Close(failed bool) {
	r.end("", failed)
	for {
		// Stop does nothing before the drawing has actually begun, so it is called until the
		// drawing has ended.
		r.writer.Stop()
		select {
		case <-r.stopped:
			return
		case <-time.After(drawEvery):
		}
	}
}

// noteHandler turns log lines into notes on the current step, and warnings into their own lines.
type noteHandler struct {
	reporter *terminalReporter
	level    slog.Level
	attrs    []slog.Attr
}

func (h *noteHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *noteHandler) Handle(_ context.Context, record slog.Record) error {
	line := &strings.Builder{}
	line.WriteString(record.Message)
	write := func(attr slog.Attr) bool {
		_, _ = fmt.Fprintf(line, "  %s=%s", attr.Key, attr.Value.Resolve())
		return true
	}
	for _, attr := range h.attrs {
		write(attr)
	}
	record.Attrs(write)
	if record.Level >= slog.LevelWarn {
		h.reporter.writer.Log("%s: %s", strings.ToLower(record.Level.String()), line)
		return nil
	}
	h.reporter.note(line.String())
	return nil
}

func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &noteHandler{h.reporter, h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *noteHandler) WithGroup(string) slog.Handler { return h }
