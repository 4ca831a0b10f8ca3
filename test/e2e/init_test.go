package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestInitAsks answers the question of 'init' at a terminal, and presses Ctrl-D instead.
func TestInitAsks(t *testing.T) {
	p := &program{t: t}
	file := filepath.Join(t.TempDir(), "seed.yaml")
	s := newTerminal(t)
	run := s.start(p, "init", file)
	s.waitFor("separated by commas? ")
	s.types("userpass, pki\n")
	if code := s.end(run); code != 0 || !strings.Contains(s.shown(), "is written") {
		t.Errorf("exited with %d\n%s", code, s.shown())
	}
	for _, want := range []string{"init --with=userpass,pki'", "ALICE_PASSWORD", "signed_by: pki-root"} {
		if !strings.Contains(read(t, file), want) {
			t.Errorf("the seed lacks %q", want)
		}
	}
	p.must(0, "seed validate", "--strict", file)

	other := filepath.Join(t.TempDir(), "seed.yaml")
	s = newTerminal(t)
	run = s.start(p, "init", other)
	s.waitFor("separated by commas? ")
	s.types("\x04")
	if code := s.end(run); code != 64 || !strings.Contains(s.shown(), "reading an answer") {
		t.Errorf("exited with %d\n%s", code, s.shown())
	}
}
