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
	// closeTime is for what is left to do when the run is over or was cut off.
	closeTime = 15 * time.Second
)

// run prepares everything that can be refused without touching Vault, then takes
// the Lease and walks the machine.
func (p *program) run(ctx context.Context, options *runOptions) error {
	job, err := p.prepare(options)
	if err != nil {
		return err
	}
	report := p.reporter(options, job.level)
	err = job.walk(ctx, report)
	report.Close()
	if err != nil {
		p.told = job.tell(report, err)
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
		return nil, fault.Misuse(fmt.Errorf("--log-level=%q is none of debug, info, warn and error", options.logLevel), "")
	}
	declared, err := seed.Load(options.seed)
	if err != nil {
		return nil, err
	}
	objects, err := declared.Objects(seed.Resolver{Env: p.env})
	if err != nil {
		return nil, err
	}
	config, err := options.vault.config(p.env)
	if err != nil {
		return nil, err
	}
	cluster, err := vault.New(config)
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
	job.store, job.risks, job.guard = records, risks(config), cluster.Guard
	pod, _ := p.env("POD_NAME")
	job.bootstrap = &states.Bootstrap{
		Spool: options.spool.places(p.env, records, &options.store), Pod: pod,
		Doorman: cluster, Holder: job.holder, Preflight: records.Preflight, Login: login, Name: options.store.name,
		Digest:      declared.Digest(),
		Split:       states.KeySplit{Shares: options.shares, Threshold: options.threshold},
		Recovery:    states.KeySplit{Shares: options.recoveryShares, Threshold: options.recoveryThreshold},
		Parallelism: options.parallelism, Now: time.Now,
	}
	if err := options.custody.assign(job.bootstrap); err != nil {
		return nil, err
	}
	for _, replica := range cluster.Replicas() {
		job.bootstrap.Replicas = append(job.bootstrap.Replicas, replica)
	}
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
	format := options.logFormat
	if format == "auto" {
		format = "json"
		if isTerminal(p.stderr) {
			format = "terminal"
		}
	}
	if format == "terminal" {
		return newTerminalReporter(p.stderr, level)
	}
	return newLineReporter(p.stderr, level)
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
	if err := j.store.Preflight(ctx); err != nil {
		return err
	}
	leased, hold, release := waitThenHold(ctx)
	defer release()
	session, err := store.Begin(leased, j.store, store.LeaseOptions{
		Holder: j.holder, Duration: j.options.leaseDuration, RenewDeadline: j.options.leaseRenew, RetryPeriod: j.options.leaseTry,
		Waiting: func(holder string) {
			report.Log().Warn("another run holds the lease, waiting for it", "holder", holder)
		},
	})
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
	checkpoint, err := session.Checkpoint(ctx)
	if err != nil {
		return err
	}
	driver := &fsm.Driver{
		Goal: j.goal, Remembered: fsm.State(checkpoint.State),
		Probe: j.bootstrap.Probe, Acts: j.bootstrap.Acts(), Tend: j.bootstrap.Tend, Enter: j.bootstrap.Enter,
		Reporter: report, Patience: j.options.patience, Now: time.Now,
		Backoff: func() retry.Backoff {
			return retry.WithJitterPercent(waitJitter, retry.WithCappedDuration(longWait, retry.NewExponential(firstWait)))
		},
	}
	j.outcome, err = driver.Run(ctx)
	return err
}

// close leaves nothing open: it ends the login's token, records how the run ended
// and gives the Lease back. A run that lost its Lease records nothing.
func (j *job) close(ctx context.Context, session *store.Session, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	j.bootstrap.Close(ctx)
	var err error
	if fault.KindOf(failure) != fault.Busy {
		err = j.bootstrap.Finish(ctx, failure)
	}
	if releaseErr := session.Release(ctx); releaseErr != nil {
		j.bootstrap.Log.Warn("the lease was not given back, it runs out by itself", "error", releaseErr.Error())
	}
	if failure != nil { // which matters more than that it could not be recorded
		return nil
	}
	return err
}

// tell reports the failure in the form of the log, and reports whether that is all
// that needs to be said.
func (j *job) tell(report reporter, err error) bool {
	lines, ok := report.(*lineReporter)
	if !ok {
		return false
	}
	lines.log.Error("failed", "error", err.Error(), "kind", fault.KindOf(err).String(), "name", fault.NameOf(err),
		"remedy", fault.RemedyOf(err), "exit_code", exitCode(err))
	return true
}
