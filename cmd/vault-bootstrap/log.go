package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// logger writes progress for people on a terminal, else JSON lines.
func (p *program) logger() *slog.Logger {
	if isTerminal(p.stderr) {
		return slog.New(slog.NewTextHandler(p.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, nil))
}

// warnings is the log of a verb that looks: what is printed is its result.
func (p *program) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
