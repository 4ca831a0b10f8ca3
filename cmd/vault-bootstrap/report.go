package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// reporter tells people or machines what the run does.
type reporter interface {
	fsm.Reporter
	// Log is for what the acts have to say.
	Log() *slog.Logger
	// Close ends the report; nothing is told after it.
	Close(failed bool)
}

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

// lineReporter writes one JSON object per line.
type lineReporter struct {
	place *place
	log   *slog.Logger
}

func newLineReporter(w io.Writer, level slog.Level) *lineReporter {
	at := &place{}
	return &lineReporter{place: at, log: slog.New(placed{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), at})}
}

func (r *lineReporter) Log() *slog.Logger { return r.log }
func (r *lineReporter) Close(bool)        {}

func (r *lineReporter) Waiting(err error, attempt int) {
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

func (r *lineReporter) Located(state fsm.State) {
	r.place.set(func(p *place) { p.state = state })
	r.log.Debug("located")
}

func (r *lineReporter) Began(event fsm.Event, from fsm.State) {
	r.place.set(func(p *place) { p.state, p.event = from, event })
	r.log.Info("began")
}

func (r *lineReporter) Failed(_ fsm.Event, err error) {
	r.log.Warn("did not succeed", "error", err.Error(), "kind", fault.KindOf(err).String())
}

func (r *lineReporter) Entered(t fsm.Transition) {
	r.place.set(func(p *place) { p.state, p.attempt = t.To, 0 })
	r.log.Info("entered", "from", string(t.From), "took", t.Took.Round(time.Millisecond).String())
	r.place.set(func(p *place) { p.event = "" })
}
