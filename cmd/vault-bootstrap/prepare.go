package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/process"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

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
	// seen is the latest look; nil before the first.
	seen *states.Look
	// offer holds the keys to adopt before walking; nil if there are none.
	offer *shares.Material
	// watches is whether more is to come after a walk: the login is kept.
	watches bool
	// emergency is why this run is made as root; nil for the others.
	emergency *states.Emergency
	// resolveLogin makes the login of a seed, for one that changes under a watch.
	resolveLogin func(declared []seed.LoginMethod) (states.Login, error)
	// declaredLogin is what the seed says that Login was made of.
	declaredLogin []seed.LoginMethod
}

// prepare makes a job of the options. verb names what it is for, in the name of this
// process on record.
func (p *program) prepare(ctx context.Context, verb string, options *runOptions) (*job, error) {
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
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return nil, err
	}
	wish, err := p.desired(ctx, options, records)
	if err != nil {
		return nil, err
	}
	pods := podsBeside(records)
	servers, err := options.vault.open(p.env, pods)
	if err != nil {
		return nil, err
	}
	job.resolveLogin = func(declared []seed.LoginMethod) (states.Login, error) {
		return options.login.resolve(p.env, kind, options.store.name, options.vault.certificate(p.env), declared)
	}
	login, err := job.resolveLogin(wish.login)
	if err != nil {
		return nil, err
	}
	job.declaredLogin = wish.login
	job.store, job.risks, job.guard = records, servers.risks(), servers.cluster.Guard
	pod, _ := p.env("POD_NAME")
	setting := states.Setting{Name: options.store.name, Parallelism: options.parallelism, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	b := servers.bootstrap(setting, login, records)
	b.SeedLogin = options.login.declaredBy(wish.login)
	b.Holder, b.Pod, b.Process = job.holder, pod, process.Self(verb)
	b.Preflight = func(ctx context.Context) error { return store.Ready(ctx, records) }
	b.Keep(options.spool.places(p.env, records, &options.store))
	b.Split = states.KeySplit{Shares: options.shares, Threshold: options.threshold}
	b.Recovery = states.KeySplit{Shares: options.recoveryShares, Threshold: options.recoveryThreshold}
	job.bootstrap = b
	if err := options.custody.assign(job.bootstrap); err != nil {
		return nil, err
	}
	if err := options.loss.assign(job.bootstrap, pods); err != nil {
		return nil, err
	}
	if wish.rules.NamesKubernetes() {
		job.bootstrap.Around = around(records, options.store.name, defaultPodLabels)
	}
	return job, wish.assign(job.bootstrap)
}

// wish is what a seed says, with its references resolved.
type wish struct {
	declared *seed.Seed
	objects  []object.Object
	rules    harden.Rules
	login    []seed.LoginMethod
}

// desired reads the seed and resolves its references, within the time of a run.
func (p *program) desired(ctx context.Context, options *runOptions, records store.Store) (wish, error) {
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	declared, err := loadSeed(options.seed)
	if err != nil {
		return wish{}, err
	}
	rules, err := states.RulesOf(declared.Harden())
	if err != nil {
		return wish{}, err
	}
	own := ownPlaces{store: &options.store, vault: &options.vault, login: &options.login, spool: &options.spool, declared: declared.LoginPaths()}
	login, err := declared.Login(ctx, p.resolver(records, own))
	if err != nil {
		return wish{}, err
	}
	own.declared = login // with the files that it names
	objects, err := declared.Objects(ctx, p.resolver(records, own))
	return wish{declared, objects, rules, login}, err
}

// assign gives the bootstrap the wish. If that fails, the one before it stays.
func (w wish) assign(b *states.Bootstrap) error {
	prune, rules := b.Prune, b.Rules
	b.Prune, b.Rules = w.declared.Prune(), w.rules
	if err := b.Declare(w.objects); err != nil {
		b.Prune, b.Rules = prune, rules
		return err
	}
	b.Digest = sync.OnceValue(w.declared.Digest)
	return nil
}
