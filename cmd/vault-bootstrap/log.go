package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
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

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
