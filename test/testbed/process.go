package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startLimit bounds the wait for a server that neither answers nor ends.
	startLimit = 90 * time.Second
	// stopGrace is what a server has between SIGTERM and SIGKILL.
	stopGrace = 10 * time.Second
	// pollInterval is short, since most servers are ready within a second.
	pollInterval = 25 * time.Millisecond
	// logLines is how much of its log an error carries.
	logLines = 15
)

// process is one server program, which can be started again after it ended. Its
// fields are set before the first start and not changed afterwards.
type process struct {
	name    string
	argv    []string
	env     []string // the whole environment: nothing is inherited
	dir     string
	logFile string // appended to
	grace   time.Duration
	// apart gives it process, mount and network namespaces of its own, on Linux: it
	// is their first process, and all others in them end with it.
	apart bool

	mu  sync.Mutex
	cur *run // nil before the first start
}

// run is one life of a process.
type run struct {
	cmd    *exec.Cmd
	offset int64         // where in the log this life begins
	ended  chan struct{} // closed once the process was waited for
	err    error         // why it ended; read after ended
}

// start starts the process and waits until ready returns nil. A process that
// does not become ready is ended before start returns, and its last log lines
// are in the error.
func (p *process) start(ctx context.Context, ready func(context.Context) error) error {
	r, err := p.launch()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = Poll(ctx, pollInterval, p.name+" to answer", func(ctx context.Context) error {
		select {
		case <-r.ended:
			return GiveUp(&diedError{name: p.name, err: r.err, log: p.log(r)})
		default:
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		go func() {
			// Whoever else has the port may hold the question up, and not answer.
			select {
			case <-r.ended:
				cancel()
			case <-ctx.Done():
			}
		}()
		return ready(ctx)
	})
	if err == nil {
		return nil
	}
	var died *diedError
	if !errors.As(err, &died) {
		_ = p.kill()
		err = fmt.Errorf("%w\n%s", err, p.lastLines(r))
	}
	return fmt.Errorf("starting %s: %w", p.name, err)
}

// launch starts a new life, unless the last one is not over.
func (p *process) launch() (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil && p.cur.alive() {
		return nil, errors.New("it is running already")
	}
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup(p.apart)
	r := &run{cmd: cmd, offset: offset, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's parent-death signal is bound to the thread that forked,
		// so that thread has to live as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.cur = r
	return r, nil
}

func (r *run) alive() bool {
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// stop ends the process: SIGTERM, and SIGKILL once its grace is over. Stopping
// one that is not running is no error.
func (p *process) stop() error { return p.end(syscall.SIGTERM) }

// kill ends the process at once, without a chance to clean up.
func (p *process) kill() error { return p.end(syscall.SIGKILL) }

func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	r := p.cur
	p.mu.Unlock()
	if r == nil || !r.alive() {
		return nil
	}
	grace := p.grace
	if grace == 0 {
		grace = stopGrace
	}
	// The process may have ended by itself in the meantime: that is what we want.
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name, err)
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-r.ended:
		return nil
	case <-patience.C:
	}
	if sig == syscall.SIGKILL {
		return fmt.Errorf("stopping %s: process %d is still there %s after SIGKILL", p.name, r.cmd.Process.Pid, grace)
	}
	return p.end(syscall.SIGKILL)
}

func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur != nil && p.cur.alive()
}

// pid is 0 when the process is not running.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil || !p.cur.alive() {
		return 0
	}
	return p.cur.cmd.Process.Pid
}

// log returns what this life of the process has logged.
func (p *process) log(r *run) string {
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text[min(r.offset, int64(len(text))):])
}

func (p *process) lastLines(r *run) string {
	return fmt.Sprintf("last lines of %s:\n%s", p.logFile, lastLines(p.log(r), logLines))
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// diedError says that a process ended by itself while it was waited for.
type diedError struct {
	name string
	err  error // nil if it exited with 0
	log  string
}

func (e *diedError) Error() string {
	how := "exit status 0"
	if e.err != nil {
		how = e.err.Error()
	}
	return fmt.Sprintf("%s ended: %s; its last lines:\n%s", e.name, how, lastLines(e.log, logLines))
}

func (e *diedError) Unwrap() error { return e.err }

func (e *diedError) portTaken() bool { return strings.Contains(e.log, "address already in use") }
