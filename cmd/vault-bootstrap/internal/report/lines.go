package report

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// phase is the state, event and attempt of the machine, for the attributes of log lines.
type phase struct {
	mu      sync.Mutex
	state   fsm.State
	event   fsm.Event
	attempt int
}

func (p *phase) set(change func(p *phase)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *phase) attributes() []slog.Attr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []slog.Attr{
		slog.String("state", string(p.state)),
		slog.String("event", string(p.event)),
		slog.Int("attempt", p.attempt),
	}
}

// phaseHandler adds the phase to each line of the handler inside.
type phaseHandler struct {
	slog.Handler
	phase *phase
}

func (h phaseHandler) Handle(ctx context.Context, record slog.Record) error {
	record.AddAttrs(h.phase.attributes()...)
	return h.Handler.Handle(ctx, record)
}

func (h phaseHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return phaseHandler{h.Handler.WithAttrs(attrs), h.phase}
}

func (h phaseHandler) WithGroup(name string) slog.Handler {
	return phaseHandler{h.Handler.WithGroup(name), h.phase}
}

// Lines writes one JSON object per line.
type Lines struct {
	phase *phase
	log   *slog.Logger
	waits waits
}

// NewLines returns a report that writes lines from level on.
func NewLines(w io.Writer, level slog.Level) *Lines {
	at := &phase{}
	return &Lines{phase: at, log: slog.New(phaseHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), at})}
}

// Log returns the logger that writes the lines.
func (r *Lines) Log() *slog.Logger { return r.log }

// Close does nothing: each line is written at once.
func (r *Lines) Close(bool) {}

// GivesUp has waits say when the run gives up.
func (r *Lines) GivesUp(at time.Time) { r.waits.givesUp(at) }

// Waiting writes the reason once, then that it still waits; as a warning once it takes long.
func (r *Lines) Waiting(err error, attempt int) {
	r.phase.set(func(p *phase) { p.attempt = attempt })
	level := slog.LevelInfo
	if attempt >= patientTries {
		level = slog.LevelWarn
	}
	now := time.Now()
	inFull, atAll := r.waits.next(now, err.Error(), attempt)
	message, attributes := "still waiting", []any{}
	if inFull {
		message, attributes = "waiting", []any{"reason", err.Error(), "remedy", fault.RemedyOf(err)}
	}
	if left := r.waits.left(now); left != "" {
		attributes = append(attributes, "gives_up_in", left)
	}
	if atAll {
		r.log.Log(context.Background(), level, message, attributes...)
	}
}

// patientTries is the attempt from which on waiting is worth a warning: with the waits between
// cycles, after about 3 s.
const patientTries = 6

// Located writes that the state was determined.
func (r *Lines) Located(state fsm.State) {
	r.phase.set(func(p *phase) { p.state = state })
	r.log.Debug("located")
}

// Began writes that an act has begun.
func (r *Lines) Began(event fsm.Event, from fsm.State) {
	r.phase.set(func(p *phase) { p.state, p.event = from, event })
	r.log.Info("began")
}

// Failed writes why an act has failed.
func (r *Lines) Failed(_ fsm.Event, err error) {
	r.log.Warn("did not succeed", "error", err.Error(), "kind", fault.KindOf(err).String())
}

// Entered writes a transition.
func (r *Lines) Entered(t fsm.Transition) {
	r.phase.set(func(p *phase) { p.state, p.attempt = t.To, 0 })
	attributes := []any{"from", string(t.From), "took", t.Took.Round(time.Millisecond).String()}
	if t.Reason.Text != "" {
		attributes = append(attributes, "reason", t.Reason.Text)
	}
	r.log.Info("entered", attributes...)
	r.phase.set(func(p *phase) { p.event = "" })
}

// LogFailure logs a failure if the report writes lines, and reports whether it did.
func LogFailure(report Reporter, err error) bool {
	lines, ok := report.(*Lines)
	if !ok {
		return false
	}
	lines.log.Error("failed", "error", err.Error(), "kind", fault.KindOf(err).String(), "name", fault.NameOf(err),
		"remedy", fault.RemedyOf(err), "exit_code", ExitCode(err))
	return true
}
