package driver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell is a program that does what a script says.
func shell(script string) Command {
	return Command{Binary: "/bin/sh", Args: []string{"-c", script}, Limit: time.Minute}
}

func started(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.Kill() })
	return p
}

// silence is an input on which nothing arrives.
func silence(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) })
	return reader
}

// hangs starts a script that waits forever when it is through.
func hangs(t *testing.T, script string) *Process {
	t.Helper()
	c := shell(script + "; read line")
	c.Stdin = silence(t)
	return started(t, c)
}

func TestResult(t *testing.T) {
	c := shell(`read line; echo "$line $HOME $PATH $EXTRA"; echo '{"msg":"began","event":"seed"}' >&2; echo '{"msg":"failed","name":"keys lost"}' >&2; printf end >&2; exit 70`)
	c.Stdin, c.Home, c.Env = strings.NewReader("typed\n"), "/home/of/ours", []string{"EXTRA=more"}
	t.Setenv("EXTRA", "of the developer")
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "typed /home/of/ours /nonexistent more\n"; r.Stdout != want {
		t.Errorf("stdout is %q, want %q", r.Stdout, want)
	}
	if !strings.HasSuffix(r.Stderr, "\nend") {
		t.Errorf("the last line has no end, and is lost: %q", r.Stderr)
	}
	if r.Code != 70 || r.Failure != "keys lost" || len(r.Events()) != 1 || r.Events()[0] != "seed" {
		t.Errorf("exit code %d, failure %q, events %q", r.Code, r.Failure, r.Events())
	}
	if r.Usage == nil || r.Took <= 0 {
		t.Errorf("it took %s and used %v", r.Took, r.Usage)
	}
}

// TestUntil counts lines from the start of the process, so that what was printed before
// somebody waited for it is not missed.
func TestUntil(t *testing.T) {
	p := started(t, shell(`echo tick tick; echo tick >&2; read line; echo tick; exit 3`))
	<-p.Ended() // nothing to read
	if err := p.Until(t.Context(), "tick", 3); err != nil {
		t.Errorf("three lines were printed: %v", err)
	}
	err := p.Until(t.Context(), "tick", 4)
	never, ok := errors.AsType[*NeverError](err)
	if !ok || never.Result.Code != 3 || !strings.Contains(err.Error(), `"tick"`) {
		t.Errorf("a fourth line leads to %v", err)
	}
}

func TestUntilContextEnds(t *testing.T) {
	p := hangs(t, `echo one`)
	if err := p.Until(t.Context(), "one", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no patience"))
	if err := p.Until(ctx, "two", 1); err == nil || !strings.Contains(err.Error(), "no patience") {
		t.Errorf("got %v", err)
	}
}

// TestStopsAndResumes has a program stop itself twice at the same point, as the build with
// the tag 'crashpoints' does.
func TestStopsAndResumes(t *testing.T) {
	c := shell(`for i in 1 2 3; do echo "crashpoint $` + StopVariable + `" >&2; kill -STOP $$; done; echo done`)
	c.StopAt = "seed.applied"
	p := started(t, c)
	if err := p.StoppedAt(t.Context(), "seed.applied", 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := p.StoppedAt(t.Context(), "seed.applied", 2); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.Shown(), "done") {
		t.Fatal("it was not stopped")
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := p.StoppedAt(t.Context(), "seed.applied", 3); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if r := p.Wait(); r.Code != 0 || r.Stdout != "done\n" {
		t.Errorf("exit code %d\n%s", r.Code, r)
	}
	if err := p.StoppedAt(t.Context(), "seed.appl", 1); err == nil {
		t.Error("a part of a point's name passes for the point")
	}
}

// TestResumePassesLaterStops lets a program go on that comes to its point again and again.
func TestResumePassesLaterStops(t *testing.T) {
	p := started(t, shell(`for i in 1 2 3 4; do echo "crashpoint loop" >&2; kill -STOP $$; done; echo done`))
	if err := p.StoppedAt(t.Context(), "loop", 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Resume(t.Context(), "loop"); err != nil {
		t.Fatal(err)
	}
	if r := p.Wait(); r.Code != 0 || r.Stdout != "done\n" {
		t.Errorf("exit code %d\n%s", r.Code, r)
	}
}

func TestKillAndLimit(t *testing.T) {
	p := hangs(t, `echo ready`)
	if err := p.Until(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Kill(); err != nil || r.Code != -1 {
		t.Errorf("killed, it ended with %d, %v", r.Code, err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a process that has ended: %v", err)
	}
	c := shell(`read line`)
	c.Stdin, c.Limit = silence(t), 50*time.Millisecond
	r, err := c.Run(t.Context())
	if err != nil || r.Code != -1 || !strings.Contains(r.Stderr, "killed after 50ms") {
		t.Errorf("at its limit it ended with %d, %v\n%s", r.Code, err, r)
	}
}

// TestInterrupt gives a process time to end in order when the context is canceled.
func TestInterrupt(t *testing.T) {
	c := shell(`trap 'echo in order; exit 5' TERM; echo ready; read line`)
	c.Stdin, c.Interrupt = silence(t), syscall.SIGTERM
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := c.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Until(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if r := p.Wait(); r.Code != 5 || !strings.Contains(r.Stdout, "in order") {
		t.Errorf("exit code %d\n%s", r.Code, r)
	}
}

// TestOwnFiles gives a process files of its own in place of what is kept.
func TestOwnFiles(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	c := shell(`echo out; echo err >&2`)
	c.Stdout = file
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file.Name())
	if err != nil || string(content) != "out\n" || r.Stdout != "" || r.Stderr != "err\n" {
		t.Errorf("the file holds %q, %v; kept is\n%s", content, err, r)
	}
}

func TestAddress(t *testing.T) {
	p := hangs(t, `echo '{"msg":"listening","address":"127.0.0.1:8080"}' >&2`)
	if got, err := p.Address(t.Context()); err != nil || got != "127.0.0.1:8080" {
		t.Errorf("it listens at %q, %v", got, err)
	}
}
