package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// terminal is a pseudo-terminal with somebody at it.
type terminal struct {
	t *testing.T
	// keyboard is the person's side, line the program's.
	keyboard, line *os.File

	mu     sync.Mutex
	screen bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
	s := &terminal{t: t, keyboard: keyboard, line: line}
	go s.follow()
	return s
}

func (s *terminal) follow() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.keyboard.Read(buffer)
		s.mu.Lock()
		s.screen.Write(buffer[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *terminal) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// waitFor waits until the screen shows a text.
func (s *terminal) waitFor(text string) {
	s.t.Helper()
	err := testbed.Poll(s.t.Context(), time.Millisecond, fmt.Sprintf("%q on the screen", text), func(context.Context) error {
		if !strings.Contains(s.shown(), text) {
			return errors.New("it is not there")
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.shown())
	}
}

// echoes reports whether what is typed is shown.
func (s *terminal) echoes() bool {
	s.t.Helper()
	state, err := unix.IoctlGetTermios(int(s.line.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func (s *terminal) types(text string) {
	s.t.Helper()
	if _, err := s.keyboard.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// start starts a verb at the terminal, with nothing else for input and output.
func (s *terminal) start(p *program, verb string, flags ...string) *driver.Driven {
	s.t.Helper()
	command := p.command(binary, verb, flags...)
	command.Stdin, command.Stdout, command.Stderr = s.line, s.line, s.line
	command.Attributes = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return p.drive(command)
}

// ended is what no program shows.
const ended = "\x1e"

// end waits for the end of a verb, and notes the screen for the search for secrets.
func (s *terminal) end(run *driver.Driven) int {
	s.t.Helper()
	code := run.Wait().Code
	// What is written now comes behind all that the program has shown.
	if _, err := s.line.WriteString(ended); err != nil {
		s.t.Fatal(err)
	}
	s.waitFor(ended)
	s.mu.Lock()
	s.screen.Truncate(s.screen.Len() - len(ended))
	s.mu.Unlock()
	testbed.NoteOutput(s.t, s.shown())
	return code
}

// nothingBegun makes sure that no root token is in the making, and none on record.
func nothingBegun(t *testing.T, p *program, node *testbed.VaultNode) {
	t.Helper()
	var attempt struct{ Started bool }
	if err := node.Call(t.Context(), http.MethodGet, "sys/generate-root/attempt", "", nil, &attempt); err != nil || attempt.Started {
		t.Errorf("an attempt to make a root token is in progress: %v, %v", attempt.Started, err)
	}
	if bytes.Contains(p.keys(), []byte("break_glass")) {
		t.Error("a root token is on record")
	}
}

// TestSharesTypedAtTerminal has operators type their shares: none is ever shown, and
// the terminal is as before when they are through.
func TestSharesTypedAtTerminal(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, given := hardenedByCustodians(t, cluster)
	inside := []string{because, "--", "/bin/sh", "-c", `test -n "$VAULT_TOKEN" && echo the command was here && read line && echo "it read $line"`}
	for name, typing := range map[string]func(s *terminal){
		"one after another": func(s *terminal) {
			s.waitFor("share 1 of 2: ")
			if s.echoes() {
				t.Error("the first share is asked for while the terminal shows what is typed")
			}
			s.types(given[0] + "\n")
			s.waitFor("share 2 of 2: ")
			if s.echoes() {
				t.Error("the second share is asked for while the terminal shows what is typed")
			}
			s.types(given[1] + "\n")
		},
		"pasted at once, for standard input": func(s *terminal) {
			s.waitFor("Input is not shown")
			s.types(given[0] + "\n" + given[1] + "\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			s := newTerminal(t)
			flags := inside
			if strings.Contains(name, "standard input") {
				flags = append([]string{"--shares-file=-"}, inside...)
			}
			run := s.start(&p, "break-glass exec", flags...)
			typing(s)
			s.waitFor("the command was here")
			if !s.echoes() {
				t.Error("the command does not see what is typed")
			}
			s.types("hello\n")
			s.waitFor("it read hello")
			if code := s.end(run); code != 0 {
				t.Errorf("exited with %d\n%s", code, s.shown())
			}
			for _, share := range given {
				if strings.Contains(s.shown(), share) {
					t.Error("a share is on the screen")
				}
			}
			nothingBegun(t, &p, cluster.Nodes[0])
		})
	}
}

// TestTypingIsBrokenOff presses Ctrl-C instead of typing the second share, types one that
// is not Vault's, and ends the input.
func TestTypingIsBrokenOff(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, given := hardenedByCustodians(t, cluster)
	for name, test := range map[string]struct {
		typed string
		code  int
		says  string
	}{
		"Ctrl-C":        {"\x03", 1, ""},
		"Ctrl-D":        {"\x04", 64, "reading a share"},
		"another share": {strings.Repeat("A", len(given[1])-1) + "=\n", 64, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			s := newTerminal(t)
			run := s.start(&p, "break-glass exec", because, "--", "/bin/true")
			s.waitFor("share 1 of 2: ")
			s.types(given[0] + "\n")
			s.waitFor("share 2 of 2: ")
			s.types(test.typed)
			if code := s.end(run); code != test.code || !strings.Contains(s.shown(), test.says) {
				t.Errorf("exited with %d, want %d and %q\n%s", code, test.code, test.says, s.shown())
			}
			if !s.echoes() {
				t.Error("the terminal is left without its echo")
			}
			if strings.Contains(s.shown(), given[0]) {
				t.Error("a share is on the screen")
			}
			nothingBegun(t, &p, cluster.Nodes[0])
		})
	}
}
