package spool_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
)

func TestAttemptsInADirectory(t *testing.T) {
	dir := spool.Dir(filepath.Join(t.TempDir(), "spool"))
	if dir.Name() != string(dir) || (spool.Termination{}).Name() == "" {
		t.Errorf("the names are %q and %q", dir.Name(), spool.Termination{}.Name())
	}
	if attempts, err := dir.Attempts(); err != nil || attempts != nil {
		t.Errorf("without a directory: %q, %v", attempts, err)
	}
	if err := dir.Check(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"A", "B"} {
		if err := dir.Write(attempt, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(string(dir), "preflight.spool"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if attempts, err := dir.Attempts(); err != nil || !slices.Equal(attempts, []string{"A", "B"}) {
		t.Errorf("got %q, %v", attempts, err)
	}
}

// What stands in the way of the spool is an error, and never an answer.
func TestWhatStandsInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, message := spool.Dir(file), spool.Termination{Path: filepath.Join(file, "x")}
	for what, err := range map[string]error{
		"write":             dir.Write("A", nil),
		"remove":            dir.Remove("A"),
		"list":              func() error { _, err := dir.Attempts(); return err }(),
		"read":              func() error { _, err := dir.Read(t.Context(), spool.Origin{Attempt: "A"}); return err }(),
		"write the message": message.Write("A", nil),
		"empty the message": message.Remove("A"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	// Where an entry cannot be written, it is known before, and nothing is left.
	taken := spool.Dir(t.TempDir())
	if err := os.MkdirAll(filepath.Join(string(taken), "preflight.spool", "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := taken.Check(t.Context(), 10); err == nil {
		t.Error("a directory that cannot be written passes")
	}
}
