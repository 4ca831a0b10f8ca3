package watch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// process is a running program and what it has logged.
type process struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []string
	done  chan struct{}
}

// start starts the program; it ends with the test at the latest.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startWithInput(t, env, "", args...)
}

// startWithInput gives it a text to read.
func startWithInput(t *testing.T, env []string, input string, args ...string) *process {
	t.Helper()
	return launch(t, binary, env, input, args...)
}

// launch starts any program.
func launch(t *testing.T, program string, env []string, input string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=/nonexistent", "HOME=" + t.TempDir()}, env...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdin = strings.NewReader(input)
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	go p.read(reader)
	t.Cleanup(func() {
		p.kill()
		testbed.NoteOutput(t, p.log())
		if t.Failed() {
			t.Logf("%v has logged:\n%s", args, p.log())
		}
	})
	return p
}

func (p *process) read(from io.ReadCloser) {
	defer close(p.done)
	defer func() { _ = from.Close() }()
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		p.mu.Unlock()
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// says waits until the program has logged text, at least times times.
func (p *process) says(text string, times int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%q in the log, %d times", text, times), time.Minute, func(context.Context) error {
		if got := strings.Count(p.log(), text); got < times {
			return fmt.Errorf("it is there %d times", got)
		}
		return nil
	})
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		<-p.done
		_ = p.cmd.Wait()
	}
}

// ends waits for the end and returns the exit code.
func (p *process) ends() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		p.t.Fatal("the program does not end")
	}
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// terminates sends SIGTERM and wants a clean end.
func (p *process) terminates() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if code := p.ends(); code != 0 {
		p.t.Errorf("SIGTERM ends it with %d", code)
	}
}

// url waits until the program listens, and returns where.
func (p *process) url() string {
	p.t.Helper()
	p.says(`"msg":"listening"`, 1)
	_, rest, _ := strings.Cut(p.log(), `"address":"`)
	address, _, _ := strings.Cut(rest, `"`)
	return "http://" + address
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // an address of our own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// ownLabel takes the label away that all series of ours have.
var ownLabel = strings.NewReplacer(`{bootstrap="vault-bootstrap"}`, "", `bootstrap="vault-bootstrap",`, "")

// metric returns the value of a series, as it stands before the space and without the
// label of the bootstrap; false if there is none.
func (p *process) metric(series string) (float64, bool) {
	p.t.Helper()
	_, body := get(p.t, p.url()+"/metrics")
	for line := range strings.Lines(ownLabel.Replace(body)) {
		if text, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return value, true
		}
	}
	return 0, false
}

// shows waits until a series has a value.
func (p *process) shows(series string, want float64) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%s %v", series, want), 30*time.Second, func(context.Context) error {
		if got, found := p.metric(series); !found || got != want {
			return fmt.Errorf("it is %v (there: %v)", got, found)
		}
		return nil
	})
}

func eventually(t *testing.T, name string, most time.Duration, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	if err := testbed.Poll(ctx, 50*time.Millisecond, name, try); err != nil {
		t.Fatal(err)
	}
}
