package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// runLimit ends a run that hangs.
const runLimit = 3 * time.Minute

// process is one run of the program under test.
type process struct {
	cmd    *exec.Cmd
	began  time.Time
	cancel context.CancelFunc
	done   chan struct{} // closed when the process was waited for
	end    end           // valid after done

	mu     sync.Mutex
	stderr bytes.Buffer
	more   chan struct{} // closed, and made anew, when stderr has grown
}

// end is how a run ended.
type end struct {
	// code is the exit code; -1 after a signal that was not handled.
	code int
	// name is that of the error, where it has one.
	name           string
	stdout, stderr string
	took           time.Duration
}

func startProcess(ctx context.Context, binary string, args, env []string, limit time.Duration) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	p := &process{cmd: exec.CommandContext(ctx, binary, args...), began: time.Now(), cancel: cancel, done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt of the suite is not one of theirs
	var stdout bytes.Buffer
	p.cmd.Stdout = &stdout
	pipe, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("starting the program: %w", err)
	}
	go func() {
		p.follow(pipe)
		err := p.cmd.Wait()
		p.end = end{code: p.cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: p.shown(), took: time.Since(p.began)}
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			p.end.stderr += err.Error() + "\n"
		}
		p.end.name = failureIn(p.end.stderr)
		cancel()
		close(p.done)
	}()
	return p, nil
}

func (p *process) follow(pipe io.Reader) {
	scanner := bufio.NewScanner(pipe)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		p.mu.Lock()
		p.stderr.WriteString(scanner.Text() + "\n")
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *process) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// until waits until standard error contains text so many times. It fails when the
// run ends before.
func (p *process) until(ctx context.Context, text string, times int) error {
	for {
		p.mu.Lock()
		found, more := strings.Count(p.stderr.String(), text), p.more
		p.mu.Unlock()
		if found >= times {
			return nil
		}
		select {
		case <-more:
		case <-p.done:
			if strings.Count(p.end.stderr, text) >= times {
				return nil
			}
			return &neverError{text, p.end}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// neverError says that a run ended before it showed what was waited for.
type neverError struct {
	text string
	end  end
}

func (e *neverError) Error() string {
	return fmt.Sprintf("the run ended with %d before it showed %q\n%s", e.end.code, e.text, e.end.stderr)
}

// stoppedAt waits until the process has stopped itself at a point.
func (p *process) stoppedAt(ctx context.Context, point string) error {
	return p.stoppedAgain(ctx, point, 1)
}

// stoppedAgain waits until it has stopped itself so many times.
func (p *process) stoppedAgain(ctx context.Context, point string, times int) error {
	if err := p.until(ctx, "crashpoint "+point+"\n", times); err != nil {
		return err
	}
	return testbed.Poll(ctx, 2*time.Millisecond, "the stop at "+point, func(context.Context) error {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return testbed.GiveUp(err)
		}
		if _, after, _ := bytes.Cut(content, []byte(") ")); !bytes.HasPrefix(after, []byte("T")) {
			return fmt.Errorf("its state is %.1s", after)
		}
		return nil
	})
}

// signal sends signals in order. A process that has ended takes none.
func (p *process) signal(signals ...syscall.Signal) error {
	for _, signal := range signals {
		if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	return nil
}

// resume lets a stopped process go on, past every further stop: a point may lie in a
// loop.
func (p *process) resume(ctx context.Context, point string) error {
	go func() {
		for times := 2; p.stoppedAgain(ctx, point, times) == nil; times++ {
			_ = p.signal(syscall.SIGCONT)
		}
	}()
	return p.signal(syscall.SIGCONT)
}

func (p *process) wait() end {
	<-p.done
	return p.end
}

// failureIn returns the name of the error that a run ended with, or of the first that a watch
// reported; with names, only of one of those.
func failureIn(stderr string, names ...string) string {
	for line := range strings.Lines(stderr) {
		var entry struct{ Msg, Name, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "failed" && (len(names) == 0 || slices.Contains(names, entry.Name)) {
			return entry.Name
		}
	}
	return ""
}
