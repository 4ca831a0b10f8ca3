package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

func (p *program) runCommand() *cobra.Command {
	options := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take Vault to hardened, from whatever state it is in",
		Long: "run looks at Vault and does what is left to do: initialize it and store its keys,\n" +
			"unseal every replica, apply the seed, prove its own login, revoke the root token.\n" +
			"It may be run again at any time, and by several at once: one acts, the others wait.",
		Example: "  vault-bootstrap run --vault-addr https://127.0.0.1:8200 --ca-cert ca.pem --seed seed.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.run(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
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
	job, err := p.prepare(options)
	if err != nil {
		return p.refuse(options, err)
	}
	return p.perform(ctx, job)
}

// refuse tells an error from before the walk. The format is not known to be right
// yet, but a machine that reads JSON should get nothing else.
func (p *program) refuse(options *runOptions, err error) error {
	if p.format(options) == "json" {
		p.told = tell(newLineReporter(p.stderr, slog.LevelError), err)
	}
	return err
}

// perform walks and tells how it went.
func (p *program) perform(ctx context.Context, job *job) error {
	report := p.reporter(job.options, job.level)
	err := job.walk(ctx, report)
	report.Close(err != nil)
	if err != nil {
		p.told = tell(report, err)
		return err
	}
	return p.summarize(job, report)
}

// job is one run with everything it needs.
type job struct {
	options   *runOptions
	goal      fsm.State
	level     slog.Level
	store     store.Store
	bootstrap *states.Bootstrap
	holder    string
	risks     []string
	guard     func(allows func() error)
	outcome   fsm.Outcome
	// offer holds the keys to adopt before walking; nil if there are none.
	offer *shares.Material
}

func (p *program) prepare(options *runOptions) (*job, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	goal, err := fsm.ParseState(options.until)
	if err != nil || goal == fsm.Uninitialized {
		return nil, fault.Misuse(fmt.Errorf("--until=%q is no state to stop at", options.until), "It is one of initialized, unsealed, seeded and hardened.")
	}
	job := &job{options: options, goal: goal, holder: identity(p.env)}
	if err := job.level.UnmarshalText([]byte(options.logLevel)); err != nil {
		return nil, fault.Misuse(fmt.Errorf("--log-level=%q is none of debug, info, warn and error", options.logLevel), "Write one of the four.")
	}
	declared, err := seed.Load(options.seed)
	if err != nil {
		return nil, err
	}
	objects, err := declared.Objects(seed.Resolver{Env: p.env})
	if err != nil {
		return nil, err
	}
	servers, err := options.vault.open(p.env)
	if err != nil {
		return nil, err
	}
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return nil, err
	}
	login, err := options.login.resolve(kind, options.store.name)
	if err != nil {
		return nil, err
	}
	job.store, job.risks, job.guard = records, servers.risks(), servers.cluster.Guard
	pod, _ := p.env("POD_NAME")
	job.bootstrap = &states.Bootstrap{
		Spool: options.spool.places(p.env, records, &options.store), Pod: pod,
		Doorman: servers.cluster, Holder: job.holder, Preflight: records.Preflight, Login: login, Name: options.store.name,
		Digest:      declared.Digest(),
		Split:       states.KeySplit{Shares: options.shares, Threshold: options.threshold},
		Recovery:    states.KeySplit{Shares: options.recoveryShares, Threshold: options.recoveryThreshold},
		Parallelism: options.parallelism, Now: time.Now,
	}
	if err := options.custody.assign(job.bootstrap); err != nil {
		return nil, err
	}
	servers.assign(job.bootstrap)
	return job, job.bootstrap.Declare(objects)
}

// risks says what in the way to Vault lets others read the keys.
func risks(config vault.Config) []string {
	var found []string
	if config.SkipVerify {
		found = append(found, "Vault's certificate is not verified: whoever is in between can read the keys")
	}
	for _, address := range config.Addresses {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Scheme != "http" {
			continue
		}
		if ip := net.ParseIP(parsed.Hostname()); parsed.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			found = append(found, "keys and tokens cross the network unencrypted: "+address+" is not https")
		}
	}
	return found
}

// reporter chooses between the live list and JSON lines.
func (p *program) reporter(options *runOptions, level slog.Level) reporter {
	if p.format(options) == "terminal" {
		return newTerminalReporter(p.stderr, level)
	}
	return newLineReporter(p.stderr, level)
}

// format resolves --log-format=auto.
func (p *program) format(options *runOptions) string {
	switch {
	case options.logFormat != "auto":
		return options.logFormat
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
func (j *job) walk(ctx context.Context, report reporter) error {
	ctx, cancel := context.WithTimeout(ctx, j.options.timeout)
	defer cancel()
	j.bootstrap.Log = report.Log()
	for _, risk := range j.risks {
		report.Log().Warn(risk)
	}
	leased, hold, release := waitThenHold(ctx)
	defer release()
	session, err := j.begin(ctx, leased, report)
	if err != nil {
		return err
	}
	hold()
	j.guard(session.Alive)
	j.bootstrap.Records = session
	working, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	context.AfterFunc(session.Context(), func() { lose(context.Cause(session.Context())) })
	err = j.drive(working, report, session)
	return errors.Join(err, j.close(ctx, session, err))
}

// begin checks the store and takes the Lease. What may pass is tried again until the
// run's time is up: a network policy may need seconds to let a new pod through.
func (j *job) begin(ctx, leased context.Context, report reporter) (session *store.Session, err error) {
	began, attempt := time.Now(), 0
	var last error
	err = retry.Do(ctx, newBackoff(), func(ctx context.Context) error {
		attempt++
		last = j.store.Preflight(ctx)
		if last == nil {
			session, last = store.Begin(leased, j.store, j.lease(report))
		}
		// A rule that was applied together with us may not have arrived everywhere.
		settling := fault.KindOf(last) == fault.Usage && time.Since(began) < settleTime
		if last == nil || fault.KindOf(last) != fault.Transient && !settling {
			return last
		}
		report.Waiting(last, attempt)
		return retry.RetryableError(last)
	})
	if err != nil && last != nil {
		return nil, last
	}
	return session, err
}

func (j *job) lease(report reporter) store.LeaseOptions {
	return store.LeaseOptions{
		Holder: j.holder, Duration: j.options.leaseDuration, RenewDeadline: j.options.leaseRenew, RetryPeriod: j.options.leaseTry,
		Waiting: func(holder string) {
			report.Log().Warn("another run holds the lease, waiting for it", "holder", holder)
		},
	}
}

func newBackoff() retry.Backoff {
	return retry.WithJitterPercent(waitJitter, retry.WithCappedDuration(longWait, retry.NewExponential(firstWait)))
}

// waitThenHold returns a context for a Lease. While we wait for the Lease it ends
// with ctx; after hold it does not: keys that Vault has just given out are stored
// also after the run was told to end, and nobody else may act meanwhile. release
// ends it.
func waitThenHold(ctx context.Context) (leased context.Context, hold, release func()) {
	leased, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return leased, func() { stop() }, func() { stop(); cancel(nil) }
}

func (j *job) drive(ctx context.Context, report reporter, session *store.Session) error {
	if j.offer != nil {
		if err := j.bootstrap.Adopt(ctx, *j.offer, report.Waiting); err != nil {
			return err
		}
	}
	checkpoint, err := session.Checkpoint(ctx)
	if err != nil {
		return err
	}
	driver := &fsm.Driver{
		Goal: j.goal, Remembered: fsm.State(checkpoint.State),
		Probe: j.bootstrap.Probe, Acts: j.bootstrap.Acts(), Tend: j.bootstrap.Tend, Enter: j.bootstrap.Enter,
		Reporter: report, Patience: j.options.patience, Now: time.Now,
		Backoff: newBackoff,
	}
	j.outcome, err = driver.Run(ctx)
	return err
}

// close leaves nothing open: it ends the login's token, records how the run ended
// and gives the Lease back. A run that lost its Lease records nothing.
func (j *job) close(ctx context.Context, session *store.Session, failure error) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if fault.KindOf(failure) != fault.Busy {
		err = within(ctx, closeTime, func(ctx context.Context) error { return j.bootstrap.Finish(ctx, failure) })
	}
	// The Lease goes last: without it no request is sent.
	j.bootstrap.Close(ctx)
	if releaseErr := within(ctx, closeTime, session.Release); releaseErr != nil {
		j.bootstrap.Log.Warn("the lease was not given back, it runs out by itself", "error", releaseErr.Error())
	}
	if err != nil && failure != nil { // which matters more than that it could not be recorded
		j.bootstrap.Log.Warn("the failure is not recorded", "error", err.Error())
		return nil
	}
	return err
}

// within calls f with a time of its own.
func within(ctx context.Context, time time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time)
	defer cancel()
	return f(ctx)
}

// tell reports the failure in the form of the log, and reports whether that is all
// that needs to be said.
func tell(report reporter, err error) bool {
	lines, ok := report.(*lineReporter)
	if !ok {
		return false
	}
	lines.log.Error("failed", "error", err.Error(), "kind", fault.KindOf(err).String(), "name", fault.NameOf(err),
		"remedy", fault.RemedyOf(err), "exit_code", exitCode(err))
	return true
}
