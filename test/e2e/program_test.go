package e2e

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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// program is the binary with the flags and the environment of one installation.
type program struct {
	t     *testing.T
	flags []string
	env   []string
	// keys returns the raw keys record, to learn which secrets must not be shown.
	keys func() []byte
}

// result is what one run of the binary has shown.
type result struct {
	args           []string
	code           int
	stdout, stderr string
	took           time.Duration
}

// runLimit ends a run that hangs; every run here is over in seconds.
const runLimit = 3 * time.Minute

// run runs a verb to its end.
func (p *program) run(verb string, flags ...string) result {
	p.t.Helper()
	return p.start(binary, verb, nil, flags...).wait()
}

// must runs a verb and fails the test unless it exits with code.
func (p *program) must(code int, verb string, flags ...string) result {
	p.t.Helper()
	r := p.run(verb, flags...)
	if r.code != code {
		p.t.Fatalf("%s exited with %d, want %d\n%s", r.args, r.code, code, r)
	}
	return r
}

func (r result) String() string {
	return fmt.Sprintf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
}

// lines returns the JSON log lines whose msg is message.
func (r result) lines(message string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(r.stderr) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// events returns the events whose acts ran.
func (r result) events() []string {
	var events []string
	for _, line := range r.lines("began") {
		events = append(events, fmt.Sprint(line["event"]))
	}
	return events
}

// running is a run that is not over.
type running struct {
	p      *program
	cmd    *exec.Cmd
	began  time.Time
	stdout bytes.Buffer
	stderr bytes.Buffer
	mu     sync.Mutex
	notice chan string // lines of standard error
	read   sync.WaitGroup
	cancel context.CancelFunc
}

// start starts a verb.
func (p *program) start(binary, verb string, env []string, flags ...string) *running {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), runLimit)
	args := append(strings.Fields(verb), append(p.flagsFor(verb), flags...)...)
	r := &running{p: p, cancel: cancel, began: time.Now(), notice: make(chan string, 1000)}
	r.cmd = exec.CommandContext(ctx, binary, args...)
	r.cmd.Env = append(append([]string{"PATH=/nonexistent", "HOME=" + p.t.TempDir()}, p.env...), env...)
	r.cmd.Stdout = &r.stdout
	pipe, err := r.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	r.read.Go(func() { r.follow(pipe) })
	return r
}

// runOnly are the beginnings of flags that only the verbs that walk have.
var runOnly = []string{"--seed", "--login", "--kubernetes-host", "--respect-seal", "--spool-dir", "--lease", "--key-", "--recovery-"}

// flagsFor leaves out what a verb does not know.
func (p *program) flagsFor(verb string) []string {
	if verb == "run" || verb == "watch" || verb == "adopt" || verb == "break-glass run" {
		return p.flags
	}
	left := runOnly
	if verb == "keys list" { // asks no server
		left = append(slices.Clone(runOnly), "--vault-", "--ca-cert")
	}
	return slices.DeleteFunc(slices.Clone(p.flags), func(flag string) bool {
		return slices.ContainsFunc(left, func(beginning string) bool { return strings.HasPrefix(flag, beginning) })
	})
}

func (r *running) follow(pipe io.Reader) {
	defer close(r.notice)
	scanner := bufio.NewScanner(pipe)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		r.mu.Lock()
		r.stderr.WriteString(scanner.Text() + "\n")
		r.mu.Unlock()
		select {
		case r.notice <- scanner.Text():
		default: // nobody watches
		}
	}
}

// until waits for a line of standard error that contains text.
func (r *running) until(text string) bool {
	for line := range r.notice {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// stoppedAt waits until the process has stopped itself at a point.
func (r *running) stoppedAt(point string) {
	r.p.t.Helper()
	if !r.until("crashpoint " + point) {
		r.p.t.Fatalf("the run never came to the point %q\n%s", point, r.wait())
	}
	stat := fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid)
	err := testbed.Poll(r.p.t.Context(), 5*time.Millisecond, "stop at "+point, func(context.Context) error {
		content, err := os.ReadFile(stat)
		if err != nil {
			return testbed.GiveUp(err)
		}
		if _, after, _ := bytes.Cut(content, []byte(") ")); !bytes.HasPrefix(after, []byte("T")) {
			return fmt.Errorf("its state is %.1s", after)
		}
		return nil
	})
	if err != nil {
		r.p.t.Fatal(err)
	}
}

func (r *running) signal(signal syscall.Signal) {
	r.p.t.Helper()
	if err := r.cmd.Process.Signal(signal); err != nil {
		r.p.t.Fatal(err)
	}
}

// wait waits for the end, and notes output and secrets for the last step of the
// suites, which looks for the ones in the other.
func (r *running) wait() result {
	r.p.t.Helper()
	defer r.cancel()
	r.read.Wait()
	err := r.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.p.t.Fatal(err)
	}
	done := result{args: r.cmd.Args[1:], code: r.cmd.ProcessState.ExitCode(), stdout: r.stdout.String(), stderr: r.stderr.String(), took: time.Since(r.began)}
	r.p.note(done)
	return done
}

// note notes what a run has shown and the secrets that exist after it.
func (p *program) note(r result) {
	p.t.Helper()
	testbed.NoteOutput(p.t, strings.Join(r.args, " ")+"\n"+r.stdout+r.stderr)
	if p.keys != nil {
		testbed.NoteSecrets(p.t, testbed.SecretsIn(p.keys())...)
	}
}

// inFiles returns a program that keeps its records in a directory of the test.
func inFiles(t *testing.T, cluster *testbed.VaultCluster, flags ...string) (*program, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	p := &program{t: t, flags: append([]string{"--store=file:" + dir}, flags...)}
	if cluster != nil {
		p.flags = append(p.flags, vaultFlags(cluster)...)
	}
	p.keys = func() []byte {
		content, _ := os.ReadFile(filepath.Join(dir, "vault-bootstrap-keys.json"))
		return content
	}
	return p, dir
}

func vaultFlags(cluster *testbed.VaultCluster) []string {
	var flags []string
	for _, node := range cluster.Nodes {
		flags = append(flags, "--vault-addr="+node.Addr)
	}
	if cluster.CAFile != "" {
		flags = append(flags, "--ca-cert="+cluster.CAFile)
	}
	return flags
}
