package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
)

// logger writes plain text on a terminal, and JSON lines elsewhere.
func (p *program) logger() *slog.Logger {
	if isTerminal(p.stderr) {
		return slog.New(slog.NewTextHandler(p.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, nil))
}

// warnings is the log of a verb that only reads, and prints its result.
func (p *program) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// painted is the standard output, with colours by meaning where it is a terminal that shows them.
func (p *program) painted(colours map[string]string, line bool) io.Writer {
	none, _ := p.env("NO_COLOR")
	kind, _ := p.env("TERM")
	if none != "" || kind == "dumb" || !isTerminal(p.stdout) {
		return p.stdout
	}
	return report.Paint(p.stdout, colours, line)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
