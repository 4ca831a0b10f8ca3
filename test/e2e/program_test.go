package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
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

// runLimit ends a run that hangs; every run here is over in seconds.
const runLimit = 3 * time.Minute

// run runs a verb to its end.
func (p *program) run(verb string, flags ...string) driver.Result {
	p.t.Helper()
	return p.start(verb, flags...).Wait()
}

// must runs a verb and fails the test unless it exits with code.
func (p *program) must(code int, verb string, flags ...string) driver.Result {
	p.t.Helper()
	return p.start(verb, flags...).Exits(code)
}

// start starts a verb.
func (p *program) start(verb string, flags ...string) *driver.Driven {
	p.t.Helper()
	return p.drive(p.command(binary, verb, flags...))
}

// stopped starts a verb and waits until it has stopped itself at a point.
func (p *program) stopped(point, verb string, flags ...string) *driver.Driven {
	p.t.Helper()
	command := p.command(stoppable, verb, flags...)
	command.StopAt = point
	run := p.drive(command)
	run.StopsAt(point, 1)
	return run
}

// command is a verb with the flags that it knows.
func (p *program) command(binary, verb string, flags ...string) driver.Command {
	args := append(strings.Fields(verb), append(p.flagsFor(verb), flags...)...)
	return driver.Command{Binary: binary, Args: args, Env: p.env, Limit: runLimit}
}

func (p *program) drive(command driver.Command) *driver.Driven {
	p.t.Helper()
	run := driver.StartFor(p.t, command)
	run.Keys, run.Patience = p.keys, runLimit
	return run
}

// with returns the program in an environment that holds more.
func (p *program) with(env ...string) *program {
	other := *p
	other.env = slices.Concat(p.env, env)
	return &other
}

// runOnly are the beginnings of flags that only the verbs that walk have.
var runOnly = []string{"--seed", "--ceremon", "--login", "--policy", "--kubernetes-host", "--respect-seal", "--spool-dir", "--lease", "--key-", "--recovery-"}

// flagsFor leaves out what a verb does not know.
func (p *program) flagsFor(verb string) []string {
	if verb == "run" || verb == "watch" || verb == "adopt" || verb == "break-glass run" {
		return p.flags
	}
	left := runOnly
	if slices.Contains([]string{"keys list", "keys reseal", "keys export", "keys import"}, verb) { // which ask no server
		left = append(slices.Clone(runOnly), "--vault-", "--ca-cert")
	}
	return slices.DeleteFunc(slices.Clone(p.flags), func(flag string) bool {
		return slices.ContainsFunc(left, func(beginning string) bool { return strings.HasPrefix(flag, beginning) })
	})
}

// inFiles returns a program that keeps its records in a directory of the test.
func inFiles(t *testing.T, cluster *testbed.VaultCluster, flags ...string) (*program, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	p := &program{t: t, flags: append([]string{"--store=file:" + dir}, flags...)}
	if cluster != nil {
		p.flags = append(p.flags, driver.VaultFlags(cluster)...)
	}
	p.keys = func() []byte {
		content, _ := os.ReadFile(driver.RecordFile(dir, "keys"))
		return content
	}
	return p, dir
}
