package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// Process is a program that was started. Its methods may be called at the same time.
type Process struct {
	cmd    *exec.Cmd
	began  time.Time
	ended  chan struct{} // closed once the process was waited for
	result Result        // valid after ended

	mu             sync.Mutex
	stdout, stderr strings.Builder
	shown          strings.Builder // both, as their lines arrived
	more           chan struct{}   // closed, and replaced, when a line has arrived
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended and its output is complete.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the end.
func (p *Process) Wait() Result {
	<-p.ended
	return p.result
}

// Shown returns what was printed so far, standard output and standard error in one.
func (p *Process) Shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// Stderr returns what was printed to standard error so far.
func (p *Process) Stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// Printed returns how many lines with a text were printed so far.
func (p *Process) Printed(text string) int { return linesWith(p.Shown(), text) }

func linesWith(shown, text string) int {
	count := 0
	for line := range strings.Lines(shown) {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// Until waits until the process has printed so many lines with a text since its start. It
// fails with a *NeverError if the process ends before.
func (p *Process) Until(ctx context.Context, text string, times int) error {
	found, read := 0, 0
	for {
		ended := p.over()
		p.mu.Lock()
		shown, more := p.shown.String(), p.more
		p.mu.Unlock()
		found += linesWith(shown[read:], text)
		read = len(shown) // the end of a line
		if found >= times {
			return nil
		}
		if ended {
			return &NeverError{Text: text, Result: p.result}
		}
		select {
		case <-more:
		case <-p.ended:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q, printed in %d of %d lines: %w", text, found, times, context.Cause(ctx))
		}
	}
}

// NeverError is a process that ended before it printed what was waited for.
type NeverError struct {
	Text   string
	Result Result
}

func (e *NeverError) Error() string {
	return fmt.Sprintf("it exited with %d before it printed %q\n%s", e.Result.Code, e.Text, e.Result)
}

// StopLine is what the process prints just before it stops at a point.
func StopLine(point string) string { return "crashpoint " + point + "\n" }

// StoppedAt waits until the process has stopped itself at a point so many times.
func (p *Process) StoppedAt(ctx context.Context, point string, times int) error {
	if err := p.Until(ctx, StopLine(point), times); err != nil {
		return err
	}
	stat := fmt.Sprintf("/proc/%d/stat", p.PID())
	return testbed.Poll(ctx, 2*time.Millisecond, "the stop at "+point, func(context.Context) error {
		content, err := os.ReadFile(stat)
		if err != nil {
			return testbed.GiveUp(err)
		}
		// The program's name stands in parentheses before its state (proc(5)).
		if _, after, _ := bytes.Cut(content, []byte(") ")); !bytes.HasPrefix(after, []byte("T")) {
			return fmt.Errorf("its state is %.1s", after)
		}
		return nil
	})
}

// Resume lets a process go on that has stopped at a point, past every later stop: a point may
// lie in a loop. The later ones are watched for until ctx ends.
func (p *Process) Resume(ctx context.Context, point string) error {
	go func() {
		for times := 2; p.StoppedAt(ctx, point, times) == nil; times++ {
			_ = p.Signal(syscall.SIGCONT)
		}
	}()
	return p.Signal(syscall.SIGCONT)
}

// Signal sends signals in order. A process that has ended takes none, which is no error.
func (p *Process) Signal(signals ...syscall.Signal) error {
	for _, signal := range signals {
		if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("sending %s: %w", signal, err)
		}
	}
	return nil
}

// Kill ends the process without warning, and waits for its end.
func (p *Process) Kill() (Result, error) {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return Result{}, err
	}
	return p.Wait(), nil
}

// Address waits until the process listens, and returns where.
func (p *Process) Address(ctx context.Context) (string, error) {
	if err := p.Until(ctx, `"msg":"listening"`, 1); err != nil {
		return "", err
	}
	for line := range strings.Lines(p.Shown()) {
		for _, entry := range Entries(line) {
			if entry.Msg == "listening" {
				return entry.Text("address"), nil
			}
		}
	}
	return "", errors.New("it does not print where it listens")
}

func (p *Process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// finish is called once, with what waiting has returned and why it was killed, if it was.
func (p *Process) finish(waited, why error) {
	took := time.Since(p.began)
	for _, stream := range []io.Writer{p.cmd.Stdout, p.cmd.Stderr} {
		if lines, ours := stream.(*lines); ours {
			lines.flush()
		}
	}
	p.mu.Lock()
	state := p.cmd.ProcessState
	p.result = Result{Args: p.cmd.Args[1:], Code: state.ExitCode(), Stdout: p.stdout.String(), Stderr: p.stderr.String(), Took: took}
	p.result.Usage, _ = state.SysUsage().(*syscall.Rusage)
	p.mu.Unlock()
	if _, exited := errors.AsType[*exec.ExitError](waited); waited != nil && !exited {
		p.result.Stderr += waited.Error() + "\n"
	}
	if why != nil && p.result.Code == -1 {
		p.result.Stderr += why.Error() + "\n"
	}
	p.result.Failure = Failure(p.result.Stderr)
	close(p.ended)
}

// receiver returns what one stream of the process is written to.
func (p *Process) receiver(kept *strings.Builder, file *os.File) io.Writer {
	if file != nil {
		return file
	}
	return &lines{process: p, kept: kept}
}

// lines passes whole lines on, so that those of two streams do not run into one another.
type lines struct {
	process *Process
	kept    *strings.Builder
	rest    []byte // the beginning of a line
}

// Write is called by one goroutine.
func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	if end := bytes.LastIndexByte(l.rest, '\n') + 1; end > 0 {
		l.pass(l.rest[:end])
		l.rest = append([]byte(nil), l.rest[end:]...)
	}
	return len(text), nil
}

// flush passes on the last line when it has no end.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.pass(l.rest)
	}
}

func (l *lines) pass(text []byte) {
	p := l.process
	p.mu.Lock()
	defer p.mu.Unlock()
	l.kept.Write(text)
	p.shown.Write(text)
	close(p.more)
	p.more = make(chan struct{})
}
