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

// place is where the machine is, for the attributes of log lines.
type place struct {
	mu      sync.Mutex
	state   fsm.State
	event   fsm.Event
	attempt int
}

func (p *place) set(change func(p *place)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *place) attributes() []slog.Attr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []slog.Attr{
		slog.String("state", string(p.state)),
		slog.String("event", string(p.event)),
		slog.Int("attempt", p.attempt),
	}
}

// placed adds the place to each line of the handler inside.
type placed struct {
	slog.Handler
	place *place
}

func (h placed) Handle(ctx context.Context, record slog.Record) error {
	record.AddAttrs(h.place.attributes()...)
	return h.Handler.Handle(ctx, record)
}

func (h placed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return placed{h.Handler.WithAttrs(attrs), h.place}
}

func (h placed) WithGroup(name string) slog.Handler {
	return placed{h.Handler.WithGroup(name), h.place}
}

// Lines writes one JSON object per line.
type Lines struct {
	place *place
	log   *slog.Logger
}

// NewLines returns a report that writes lines from level on.
func NewLines(w io.Writer, level slog.Level) *Lines {
	at := &place{}
	return &Lines{place: at, log: slog.New(placed{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), at})}
}

// Log is what the lines are written to.
func (r *Lines) Log() *slog.Logger { return r.log }

// Close does nothing: each line is written at once.
func (r *Lines) Close(bool) {}

// Waiting writes why, which is a warning once it takes long.
func (r *Lines) Waiting(err error, attempt int) {
	r.place.set(func(p *place) { p.attempt = attempt })
	level := slog.LevelInfo
	if attempt >= patientTries {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "waiting", "reason", err.Error(), "remedy", fault.RemedyOf(err))
}

// patientTries is from when on waiting is worth a warning: with the waits between
// cycles, after about 3 s.
const patientTries = 6

// Located writes that Vault was looked at.
func (r *Lines) Located(state fsm.State) {
	r.place.set(func(p *place) { p.state = state })
	r.log.Debug("located")
}

// Began writes that an act has begun.
func (r *Lines) Began(event fsm.Event, from fsm.State) {
	r.place.set(func(p *place) { p.state, p.event = from, event })
	r.log.Info("began")
}

// Failed writes why an act has failed.
func (r *Lines) Failed(_ fsm.Event, err error) {
	r.log.Warn("did not succeed", "error", err.Error(), "kind", fault.KindOf(err).String())
}

// Entered writes a transition.
func (r *Lines) Entered(t fsm.Transition) {
	r.place.set(func(p *place) { p.state, p.attempt = t.To, 0 })
	r.log.Info("entered", "from", string(t.From), "took", t.Took.Round(time.Millisecond).String())
	r.place.set(func(p *place) { p.event = "" })
}

// LogFailure reports a failure in the form of the log, and reports whether that is all
// that needs to be said.
func LogFailure(report Reporter, err error) bool {
	lines, ok := report.(*Lines)
	if !ok {
		return false
	}
	lines.log.Error("failed", "error", err.Error(), "kind", fault.KindOf(err).String(), "name", fault.NameOf(err),
		"remedy", fault.RemedyOf(err), "exit_code", ExitCode(err))
	return true
}
