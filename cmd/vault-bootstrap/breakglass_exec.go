package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// execOptions are the flags of 'break-glass exec'.
type execOptions struct {
	ceremonyOptions
	breakGlass breakGlassOptions
}

func (p *program) breakGlassExecCommand() *cobra.Command {
	options := &execOptions{}
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run one command as root, then revoke it",
		Long: "exec runs a command with a root token in VAULT_TOKEN and the active node in VAULT_ADDR,\n" +
			"and revokes the token when the command ends, in whatever way. It exits with the code of\n" +
			"the command. It holds the lease meanwhile, so no other run changes this Vault. If the\n" +
			"lease is lost, the command is terminated, and the exit code is 75.",
		Example: "  vault-bootstrap break-glass exec --reason='INC-1234: list the auth methods' -- vault auth list",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fault.Misuse(errors.New("no command is given"), "Write it after two dashes: break-glass exec --reason=WHY -- vault auth list.")
			}
			return p.breakGlassExec(cmd.Context(), options, args)
		},
	}
	options.breakGlass.register(cmd.Flags())
	options.register(cmd.Flags(), "how long to wait for the lease and to generate the root token; the command may take longer")
	return cmd
}

func (p *program) breakGlassExec(ctx context.Context, options *execOptions, command []string) (err error) {
	if err := options.store.NeedsKeys("break-glass exec"); err != nil {
		return err
	}
	why, err := p.emergency(&options.breakGlass)
	if err != nil {
		return err
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return fault.Misuse(fmt.Errorf("finding the command %q: %w", command[0], err), "No root token was generated. Give a command that is on the PATH.")
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	held, err := p.holdKeys(ctx, &options.ceremonyOptions)
	if err != nil {
		return err
	}
	session := held.session
	defer func() { _ = session.Close() }()
	breakGlass := ceremony.NewBreakGlass(held.Administrator, 1)
	pod, _ := p.env("POD_NAME")
	if sender := report.StartEvents(held.records, options.store.Name, pod, held.Holder, held.log); sender != nil {
		defer sender.Close()
		held.Notify = sender.Send
	}
	// A signal to us ends the command, and so does the loss of the lease.
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	context.AfterFunc(session.Context(), func() { cancel(context.Cause(session.Context())) })
	defer func() {
		held.servers.Cluster.Guard(nil) // even a holder that has lost its lease revokes its own token
		// A holder that was suspended past its lease may be cut off at any point.
		err = walk.OrLost(session.Context(), errors.Join(err, breakGlass.End(ctx)))
	}()
	making, made := context.WithTimeout(working, options.timeout)
	defer made()
	address, token, err := breakGlass.Make(making, why)
	if err != nil {
		return err
	}
	return p.runChild(working, program, command, childEnvironment(p.environment, address, token, options.vault.Variables()))
}

// childEnvironment returns our environment with the root token, the active node's address, and
// flags, the settings of our flags.
func childEnvironment(env []string, address string, token secret.Value, flags map[string]string) []string {
	set := maps.Clone(flags)
	set["VAULT_ADDR"], set["VAULT_TOKEN"] = address, token.Reveal()
	env = slices.DeleteFunc(slices.Clone(env), func(each string) bool {
		name, _, _ := strings.Cut(each, "=")
		_, replaced := set[name]
		return replaced
	})
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// childGrace is how long a command may take to end after a signal.
const childGrace = 10 * time.Second

// runChild runs the command to its end.
func (p *program) runChild(ctx context.Context, program string, command, env []string) error {
	child := exec.CommandContext(ctx, program, command[1:]...)
	child.Env, child.Stdin, child.Stdout, child.Stderr = env, p.stdin, p.stdout, p.stderr
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = childGrace
	err := child.Run()
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrLeaseLost) {
		// Another holder may be at work: the caller has to know that, whatever the command's exit
		// status.
		return fmt.Errorf("the command was terminated: %w", cause)
	}
	if child.ProcessState != nil && child.ProcessState.Success() {
		return nil // it may have handled the signal and succeeded
	}
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return &childError{code: childCode(exited), err: fmt.Errorf("the command ended with %s", exited.ProcessState), cause: context.Cause(ctx)}
	}
	if child.Process == nil && ctx.Err() != nil {
		return &childError{code: signalled + int(syscall.SIGTERM), err: errors.New("a signal came before the command was started"), cause: context.Cause(ctx)}
	}
	if err != nil {
		return fault.Misuse(fmt.Errorf("running the command: %w", err), "")
	}
	return nil
}

// childError is the failure of the command. Its exit code becomes ours.
type childError struct {
	code       int
	err, cause error
}

func (e *childError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%v (%v)", e.err, e.cause)
	}
	return e.err.Error()
}

func (e *childError) Unwrap() error { return e.err }

// signalled is what shells add to the number of the signal that terminated a command.
const signalled = 128

func childCode(exited *exec.ExitError) int {
	if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled + int(status.Signal())
	}
	return exited.ExitCode()
}

// untilSignal returns a context that ends with any signal that would terminate us before the root
// token is revoked. A closed terminal, or a reader that has gone away, must not leave a token
// behind.
func untilSignal(ctx context.Context) (context.Context, func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	return ctx, stop
}
