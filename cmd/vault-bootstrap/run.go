package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

func (p *program) runCommand() *cobra.Command {
	options, sidecar := &runOptions{}, &sidecarOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take Vault to hardened, from whatever state it is in",
		Long: "run looks at Vault and does what is left to do: initialize it and store its keys,\n" +
			"unseal every replica, apply the seed, prove its own login, revoke the root token.\n" +
			"It may be run again at any time, and by several at once: one acts, the others wait.",
		Example: "  vault-bootstrap run --vault-addr https://127.0.0.1:8200 --ca-cert ca.pem --seed seed.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sidecar.check(); err != nil {
				return p.refuse(options, err)
			}
			err := p.run(cmd.Context(), options)
			if failed := sidecar.end(cmd.Context()); failed != nil {
				report.NewLines(p.stderr, slog.LevelWarn).Log().Warn("the sidecar keeps the pod from ending", "error", failed.Error())
			}
			return err
		},
	}
	registerRun(cmd.Flags(), options)
	sidecar.register(cmd.Flags())
	return cmd
}

// The waits between cycles: short at first, since Vault is usually up in a moment.
const (
	firstWait  = 100 * time.Millisecond
	longWait   = 5 * time.Second
	waitJitter = 20 // percent
	// closeTime is for each thing that is left to do when the run is over or was cut off.
	closeTime = 5 * time.Second
	// settleTime is how long a refusal of the store may be that of a server which has
	// just started, or has not seen a new rule yet.
	settleTime = 5 * time.Second
)

// run prepares everything that can be refused without touching Vault, then takes
// the Lease and walks the machine.
func (p *program) run(ctx context.Context, options *runOptions) error {
	job, err := p.prepare(ctx, "run", options)
	if err != nil {
		return p.refuse(options, err)
	}
	return p.perform(ctx, job)
}

// refuse reports an error from before the walk. The format is not known to be right
// yet, but a machine that reads JSON should get nothing else.
func (p *program) refuse(options *runOptions, err error) error {
	if p.format(options) == "json" {
		p.told = report.LogFailure(report.NewLines(p.stderr, slog.LevelError), err)
	}
	return err
}

// perform walks and reports how it went.
func (p *program) perform(ctx context.Context, job *job) error {
	progress := p.reporter(job.options, job.level)
	all := job.withEvents(progress)
	err := job.walk(ctx, all)
	if err != nil {
		report.SendFailure(all, err)
	}
	if failed := report.WriteTermination(job.options.spool.termination, report.Ending(job.outcome, err)); failed != nil {
		progress.Log().Warn("the termination message does not say how this ended", "error", failed.Error())
	}
	all.Close(err != nil)
	if err != nil {
		p.told = report.LogFailure(progress, err)
		return err
	}
	return job.summary().Write(p.stdout, progress)
}

// reporter chooses between the live list and JSON lines.
func (p *program) reporter(options *runOptions, level slog.Level) report.Reporter {
	if p.format(options) == "terminal" {
		return report.NewTerminal(p.stderr, level)
	}
	return report.NewLines(p.stderr, level)
}

// format resolves --log-format=auto.
func (p *program) format(options *runOptions) string {
	switch {
	case options.log.format != "auto":
		return options.log.format
	case isTerminal(p.stderr):
		return "terminal"
	default:
		return "json"
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// walk takes the Lease and walks to the goal.
func (j *job) walk(ctx context.Context, reporter report.Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, j.options.timeout)
	defer cancel()
	j.bootstrap.Log = reporter.Log()
	for _, risk := range j.risks {
		reporter.Log().Warn(risk)
	}
	leased, hold, release := waitThenHold(ctx)
	defer release()
	session, err := j.begin(ctx, leased, reporter)
	switch {
	case errors.Is(err, store.ErrImmutable):
		return j.withoutWriting(ctx, reporter, err)
	case err != nil:
		return err
	}
	hold()
	return j.act(ctx, reporter, session)
}

// act walks to the goal with the Lease held, and gives it back.
func (j *job) act(ctx context.Context, reporter report.Reporter, session *store.Session) error {
	j.guard(session.Alive)
	j.bootstrap.Hold(session)
	defer j.bootstrap.LetGo()
	working, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	context.AfterFunc(session.Context(), func() { lose(context.Cause(session.Context())) })
	err := orLost(session.Context(), j.drive(working, reporter))
	return errors.Join(err, j.close(ctx, session, err))
}

// orLost gives a failure its true cause where that is the loss of the Lease: whatever
// was under way then was merely cut off.
func orLost(leased context.Context, err error) error {
	lost := context.Cause(leased)
	if err == nil || !errors.Is(lost, store.ErrLeaseLost) || fault.KindOf(err) != fault.Transient {
		return err
	}
	return fmt.Errorf("%w (last: %w)", lost, err)
}

func (j *job) drive(ctx context.Context, reporter report.Reporter) error {
	if j.offer != nil {
		if err := j.bootstrap.Adopt(ctx, *j.offer, reporter.Waiting); err != nil {
			return err
		}
	}
	driver := func(goal fsm.State) *driver {
		driver := j.driver(reporter)
		driver.Goal = goal
		return driver
	}
	var err error
	if j.emergency != nil {
		j.outcome, err = j.driveAsRoot(ctx, driver)
		return err
	}
	j.outcome, err = j.driver(reporter).Run(ctx)
	return err
}

// driver walks a bootstrap.
type driver = fsm.Driver[*states.Look]

func (j *job) driver(reporter fsm.Reporter) *driver {
	b := j.bootstrap
	return &driver{
		Goal: j.goal,
		Look: j.look, Settle: b.Settle, Acts: b.Acts(), Tend: b.Tend, Rescue: b.Rescue, Enter: b.Enter,
		Reporter: reporter, Patience: j.options.patience, Now: time.Now,
		Backoff: newBackoff,
	}
}

// look looks, and keeps what was seen for the summary.
func (j *job) look(ctx context.Context) (*states.Look, error) {
	look, err := j.bootstrap.Look(ctx)
	if err == nil {
		j.seen = look
	}
	return look, err
}

// summary is what the walk has come to, with the controls as the latest look has shown them.
func (j *job) summary() report.Summary {
	s := report.Summary{Outcome: j.outcome, Location: j.store.Location()}
	if j.seen != nil {
		s.Controls = j.seen.Controls
	}
	return s
}

// close leaves nothing open: it ends the login's token, records how the run ended
// and gives the Lease back. A run that lost its Lease records nothing.
func (j *job) close(ctx context.Context, session *store.Session, failure error) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if fault.KindOf(failure) != fault.Busy && !errors.Is(failure, errGaveWay) {
		err = briefly(ctx, func(ctx context.Context) error { return j.bootstrap.Finish(ctx, failure) })
	}
	// The Lease goes last: without it no request is sent.
	if !j.watches {
		j.bootstrap.Close(ctx)
	}
	if releaseErr := briefly(ctx, session.Release); releaseErr != nil {
		j.bootstrap.Log.Warn("the lease was not given back, it runs out by itself", "error", releaseErr.Error())
	}
	if err != nil && failure != nil { // which matters more than that it could not be recorded
		j.bootstrap.Log.Warn("the failure is not recorded", "error", err.Error())
		return nil
	}
	return err
}

// briefly calls f with a time of its own.
func briefly(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	return f(ctx)
}
