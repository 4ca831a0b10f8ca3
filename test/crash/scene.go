package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// scene is where a case happens: its Vault, the lines to it, its records.
type scene struct {
	*suite
	trial

	dir, spool, seedFile, audit string
	vault                       *testbed.VaultCluster
	lines                       []*line
	records                     records
	api                         *testbed.HTTPProxy // in front of the API server; nil with files
	fronts                      []*tap
	// front is the way to the KMS, and kmsRecipient the key there; nil without one.
	front        *testbed.KMSFront
	kmsRecipient string
	// offer is a file with the keys that somebody else made; empty unless 'adopt' is
	// the verb.
	offer string
	// emptied is how often the scene itself has emptied Vault's storage.
	emptied int
	// seenTo is whether a user has looked if the verb has to be started again.
	seenTo bool
	// repairs undo what was done to the records; mend makes them, once.
	repairs []func(context.Context) error
	// closers end what a case has started beside all that.
	closers []func() error
	// lateInit is whether a sys/init may come late, so that Vault has to refuse it.
	lateInit bool
	// runsOnly is whether no watch can be started: in a namespace that ends nothing can be
	// created, the Lease of those who lead above all.
	runsOnly bool
	// restarted is whether somebody has restarted Vault, as the program said.
	restarted bool
	// beside is another watch beside the verb; nil if there is none.
	beside *driver.Process

	mu        sync.Mutex
	processes []*driver.Process
	roots     map[string]bool // root tokens that were ever seen
	secrets   map[string]bool // what was noted already
	runs      int
	// excuse says what died while Vault's answer to sys/init had not been delivered, as the
	// proxies show; empty if nothing did, and then nothing may be lost.
	excuse string
	// vaultDied is whether a server was killed.
	vaultDied bool
	lost      []string // terminal errors, each followed by its remedy
	notes     []string // what is worth a word beside the outcome
}

func (s *suite) stage(ctx context.Context, t trial) (*scene, error) {
	sc := &scene{suite: s, trial: t, roots: map[string]bool{}, secrets: map[string]bool{}}
	var err error
	if sc.dir, err = os.MkdirTemp(s.dir, fmt.Sprintf("case-%d-", t.number)); err != nil {
		return nil, err
	}
	sc.spool = filepath.Join(sc.dir, "spool")
	sc.seedFile, sc.audit = filepath.Join(sc.dir, "seed.yaml"), filepath.Join(sc.dir, "audit.raw")
	if err := sc.writeSeed(""); err != nil {
		return sc, err
	}
	if sc.vault, err = testbed.StartVault(ctx, testbed.VaultOptions{Dir: filepath.Join(sc.dir, "vault"), Storage: t.storage, Nodes: t.nodes, Front: t.guarded}); err != nil {
		return sc, err
	}
	for _, node := range sc.vault.Nodes {
		l, err := newLine(node)
		if err != nil {
			return sc, err
		}
		sc.lines = append(sc.lines, l)
	}
	if err := sc.keepRecords(ctx); err != nil {
		return sc, err
	}
	if err := sc.encryptRecords(ctx); err != nil {
		return sc, err
	}
	if t.verb.stage == nil {
		return sc, nil
	}
	return sc, t.verb.stage(ctx, sc)
}

// encryptRecords has the keys record be encrypted, if it is to be.
func (sc *scene) encryptRecords(ctx context.Context) (err error) {
	to := max(sc.recipients, sc.verb.recipients)
	switch {
	case to == byKMS:
		return sc.encryptByKMS(ctx)
	case to == byPerson || sc.suite.encrypted:
		sc.records, err = encrypt(sc.records, sc.dir)
	}
	return err
}

func (sc *scene) keepRecords(ctx context.Context) error {
	if !sc.inKube {
		sc.records = fileRecords(filepath.Join(sc.dir, "store"))
		return nil
	}
	if err := sc.kube.start(ctx); err != nil {
		return err
	}
	var err error
	if sc.api, err = sc.kube.proxy(); err != nil {
		return err
	}
	records, token, err := sc.kube.install(ctx, fmt.Sprintf("case-%d", sc.number), sc.api)
	sc.records = records
	sc.note(token)
	return err
}

// options say how one process is started.
type options struct {
	verb   *verb // 'run' if it is nil
	stopAt string
	// showPoints has it show the points that it passes.
	showPoints bool
	// addresses replace the near ends of the lines.
	addresses []string
	flags     []string
}

// options are of a run.
func (sc *scene) options(flags ...string) options { return options{verb: verbRun, flags: flags} }

// victim are the options of the case's verb.
func (sc *scene) victim() options { return options{verb: sc.verb} }

func (sc *scene) stopping(point string) options { return options{verb: sc.verb, stopAt: point} }

// runLimit ends a run that hangs.
const runLimit = 3 * time.Minute

// The Lease of every case is short, so that taking over takes little time.
const leaseDuration = 3 * time.Second

// start starts a process. One that is to stop is the build that can.
func (sc *scene) start(ctx context.Context, o options) (*driver.Process, error) {
	if o.verb == nil {
		o.verb = verbRun
	}
	args := append(o.verb.arguments(sc), sc.records.flags()...)
	if o.verb.walks {
		args = append(args, "--seed="+sc.seedFile, "--login=approle", "--log-format=json",
			"--lease-duration="+leaseDuration.String(), "--lease-renew-deadline=2s", "--lease-retry-period=500ms",
			"--timeout=100s", "--replica-patience=20s")
	}
	if o.verb.exchanges && !o.verb.walks {
		args = append(args, "--login=approle") // for a server that wants a token
	}
	if o.addresses == nil {
		for _, l := range sc.lines[:len(sc.vault.Nodes)] { // what follows is for one process only
			o.addresses = append(o.addresses, l.url())
		}
	}
	if o.verb.offline {
		o.addresses = nil
	}
	for _, address := range o.addresses {
		args = append(args, "--vault-addr="+address)
	}
	args = append(args, o.flags...)
	if o.verb.command != nil {
		args = append(append(args, "--"), o.verb.command...)
	}
	command := driver.Command{Binary: sc.binary, Args: args, Home: sc.dir, StopAt: o.stopAt, ShowPoints: o.showPoints, Limit: runLimit + sc.lasts()}
	if o.stopAt != "" || o.showPoints {
		command.Binary = sc.stoppable
	}
	p, err := command.Start(ctx)
	if err != nil {
		return nil, err
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.processes = append(sc.processes, p)
	sc.runs++
	return p, nil
}

// finish starts a run and waits for its end.
func (sc *scene) finish(ctx context.Context, o options) (driver.Result, error) {
	p, err := sc.start(ctx, o)
	if err != nil {
		return driver.Result{}, err
	}
	return p.Wait(), ctx.Err()
}

// startStopped starts a process and waits until it has stopped itself at a point.
func (sc *scene) startStopped(ctx context.Context, o options) (*driver.Process, error) {
	p, err := sc.start(ctx, o)
	if err != nil {
		return nil, err
	}
	return p, sc.atStop(ctx, p, o.stopAt)
}

// atStop waits until a process has stopped itself at a point.
func (sc *scene) atStop(ctx context.Context, p *driver.Process, point string) error {
	if err := p.StoppedAt(ctx, point, 1); err != nil {
		return err
	}
	sc.board.reached(point)
	if err := sc.atStep(ctx, point); err != nil {
		return err
	}
	_, err := sc.keys(ctx) // a root token is in it for a while only
	return err
}

// tapped starts taps before the lines, which see the requests of one run.
func (sc *scene) tapped() (addresses []string, err error) {
	for _, l := range sc.lines {
		t, err := startTap(l.http.URL)
		if err != nil {
			return nil, err
		}
		sc.fronts = append(sc.fronts, t)
		addresses = append(addresses, t.URL)
	}
	return addresses, nil
}

// inits returns every sys/init that has reached a server.
func (sc *scene) inits() []request {
	var found []request
	for _, l := range sc.lines {
		found = append(found, l.tap.inits()...)
	}
	return found
}

func (sc *scene) say(format string, args ...any) {
	sc.notes = append(sc.notes, fmt.Sprintf(format, args...))
}

// note notes secrets for the search at the end of all suites.
func (sc *scene) note(secrets ...string) {
	sc.mu.Lock()
	var fresh []string
	for _, secret := range secrets {
		if secret != "" && !sc.secrets[secret] {
			sc.secrets[secret] = true
			fresh = append(fresh, secret)
		}
	}
	sc.mu.Unlock()
	testbed.NoteSecrets(notary(fmt.Sprintf("crash-%d", sc.number)), fresh...)
}

// close ends everything, and notes what was shown.
func (sc *scene) close() error {
	var errs []error
	var shown strings.Builder
	for _, p := range sc.processes {
		end, err := p.Kill() // if it still is there
		errs = append(errs, err)
		shown.WriteString(end.Stdout + end.Stderr)
	}
	if shown.Len() > 0 {
		testbed.NoteOutput(notary(fmt.Sprintf("crash-%d", sc.number)), shown.String())
	}
	if log, err := os.ReadFile(sc.audit); err == nil {
		sc.note(driver.Tokens(string(log))...)
	}
	for _, l := range sc.lines {
		errs = append(errs, l.close())
	}
	for _, t := range sc.fronts {
		errs = append(errs, t.close())
	}
	for _, closer := range sc.closers {
		errs = append(errs, closer())
	}
	if sc.api != nil {
		errs = append(errs, sc.api.Close())
	}
	if sc.vault != nil {
		errs = append(errs, sc.vault.Close())
	}
	return errors.Join(errs...)
}

// notary lets a program that is no test make notes.
type notary string

func (notary) Helper()        {}
func (n notary) Name() string { return string(n) }
func (n notary) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...)) // the disk is full: nothing can be relied on
}
func (notary) Cleanup(func())           {}
func (notary) Context() context.Context { return context.Background() }
func (notary) Errorf(string, ...any)    {}
func (notary) Logf(string, ...any)      {}
func (notary) Failed() bool             { return false }
func (notary) TempDir() string          { return os.TempDir() }
