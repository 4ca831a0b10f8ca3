package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/process"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
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

	env lookup
	// resolveLogin makes the login of a seed, for one that changes under a watch.
	resolveLogin func(declared []seed.LoginMethod) (states.Login, error)
	// declaredLogin is what the seed says that Login was made of.
	declaredLogin []seed.LoginMethod
}

// prepare makes a job of the options. verb names what it is for, in the name of this
// process on record.
func prepare(ctx context.Context, env lookup, verb string, options *runOptions) (*job, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	goal, err := fsm.ParseState(options.until)
	if err != nil || goal == fsm.Uninitialized {
		return nil, fault.Misuse(fmt.Errorf("--until=%q is no state to stop at", options.until), "It is one of initialized, unsealed, seeded and hardened.")
	}
	job := &job{options: options, goal: goal, holder: identity(env), env: env}
	if err := job.level.UnmarshalText([]byte(options.log.level)); err != nil {
		return nil, fault.Misuse(fmt.Errorf("--log-level=%q is none of debug, info, warn and error", options.log.level), "Write one of the four.")
	}
	records, kind, err := options.store.open(env)
	if err != nil {
		return nil, err
	}
	job.store = records
	wish, err := job.desired(ctx)
	if err != nil {
		return nil, err
	}
	pods := podsBeside(records)
	servers, err := options.vault.open(env, pods)
	if err != nil {
		return nil, err
	}
	job.resolveLogin = func(declared []seed.LoginMethod) (states.Login, error) {
		return options.login.resolve(env, kind, options.store.name, options.vault.certificate(env), declared)
	}
	login, err := job.resolveLogin(wish.login)
	if err != nil {
		return nil, err
	}
	job.declaredLogin = wish.login
	job.risks, job.guard = servers.risks(), servers.cluster.Guard
	pod, _ := env("POD_NAME")
	setting := states.Setting{Name: options.store.name, Parallelism: options.parallelism, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	b := servers.bootstrap(setting, login, records)
	b.SeedLogin = options.login.declaredBy(wish.login)
	b.Holder, b.Pod, b.Process = job.holder, pod, process.Self(verb)
	b.Preflight = func(ctx context.Context) error { return store.Ready(ctx, records) }
	b.Keep(options.spool.places(env, records, &options.store))
	b.Split = states.KeySplit{Shares: options.split.shares, Threshold: options.split.threshold}
	b.Recovery = states.KeySplit{Shares: options.split.recoveryShares, Threshold: options.split.recoveryThreshold}
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
