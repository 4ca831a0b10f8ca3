package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// The variables of a build with the tag 'crashpoints', as internal/point has them.
const (
	StopVariable   = "VAULT_BOOTSTRAP_STOP_AT"
	pointsVariable = "VAULT_BOOTSTRAP_SHOW_POINTS"
)

// Command is a program that is about to be started, ours or another one.
type Command struct {
	// Binary is the program's path.
	Binary string
	Args   []string
	// Env is added to an environment that holds Home and a PATH that leads nowhere: what a
	// developer has set must not change what the program does.
	Env  []string
	Home string
	// StopAt is the point at which the process stops itself; ShowPoints has it print each
	// point that it passes. Both need a build with the tag 'crashpoints'.
	StopAt     string
	ShowPoints bool
	// Stdin is what the process reads; nil means nothing.
	Stdin io.Reader
	// Stdout and Stderr, for instance a terminal, receive the output in place of the Process.
	Stdout, Stderr *os.File
	// Limit kills a process that hangs; zero leaves that to the context.
	Limit time.Duration
	// Interrupt is the signal that a canceled context sends; zero means SIGKILL.
	Interrupt syscall.Signal
	// Attributes replace the default, a process group of its own: an interrupt of the suite
	// is not one of the process.
	Attributes *syscall.SysProcAttr
}

const (
	// outputGrace is how long output may still arrive after the end of a process. A command
	// that break-glass has started may outlive the program and keep its pipes open.
	outputGrace = 10 * time.Second
	// interruptGrace is how long a process has that was interrupted.
	interruptGrace = time.Minute
)

// Start starts the process. It is killed when ctx ends, or its limit is reached.
func (c Command) Start(ctx context.Context) (*Process, error) {
	ctx, cancel := c.bounded(ctx)
	p := &Process{cmd: exec.CommandContext(ctx, c.Binary, c.Args...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Env = c.environment()
	p.cmd.Stdin = c.Stdin
	p.cmd.Stdout, p.cmd.Stderr = p.receiver(&p.stdout, c.Stdout), p.receiver(&p.stderr, c.Stderr)
	p.cmd.WaitDelay = outputGrace
	if c.Interrupt != 0 {
		p.cmd.Cancel = func() error { return p.cmd.Process.Signal(c.Interrupt) }
		p.cmd.WaitDelay = interruptGrace
	}
	p.cmd.SysProcAttr = c.Attributes
	if c.Attributes == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", c.Binary, err)
	}
	go func() {
		defer cancel()
		p.finish(p.cmd.Wait(), context.Cause(ctx))
	}()
	return p, nil
}

// Run starts the process and waits for its end.
func (c Command) Run(ctx context.Context) (Result, error) {
	p, err := c.Start(ctx)
	if err != nil {
		return Result{}, err
	}
	return p.Wait(), nil
}

func (c Command) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.Limit, errors.New("it was killed after "+c.Limit.String()))
}

func (c Command) environment() []string {
	env := []string{"PATH=/nonexistent"}
	if c.Home != "" {
		env = append(env, "HOME="+c.Home)
	}
	env = append(env, c.Env...)
	if c.StopAt != "" {
		env = append(env, StopVariable+"="+c.StopAt)
	}
	if c.ShowPoints {
		env = append(env, pointsVariable+"=yes")
	}
	return env
}
