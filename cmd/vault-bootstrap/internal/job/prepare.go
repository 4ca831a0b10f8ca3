// Package job prepares what a run needs from the options: the records, access to Vault, the login
// of later runs, the seed with its references resolved, and the Bootstrap that combines them.
// Whatever can be refused without touching Vault is refused here.
//
// It knows flags only by their names in messages, reads only the environment that it is given, and
// neither walks nor reports.
package job

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
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Job is one run with everything it needs.
type Job struct {
	Options   *RunOptions
	Goal      fsm.State
	Level     slog.Level // of the log
	Store     store.Store
	Bootstrap *states.Bootstrap
	// Holder names this process in the Lease.
	Holder string
	// Risks are warnings about the connection to Vault, and about what the seed declares.
	Risks []string
	// Guard makes every request to Vault ask first whether it is allowed.
	Guard func(allows func() error)

	env      Lookup
	warnings []string // about the seed
	// resolveLogin returns the login of a seed, for one that changes under a watch.
	resolveLogin func(declared []seed.LoginMethod) (login.Chain, error)
	// loginFiles returns the files that it keeps something of.
	loginFiles func(declared []seed.LoginMethod) []string
	// renewCertificates has later requests to Vault connect with the files as they are then.
	renewCertificates func() error
	// declaredLogin is what the seed says about the current login.
	declaredLogin []seed.LoginMethod
	atRest        atRest
}

// Prepare returns a job with the options. verb becomes a part of this process's name on record.
func Prepare(ctx context.Context, env Lookup, verb string, options *RunOptions) (*Job, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	goal, err := fsm.ParseState(options.Until)
	if err != nil || goal == fsm.Uninitialized {
		return nil, fault.Misuse(fmt.Errorf("--until=%q is not a state to stop at", options.Until), "It is one of initialized, unsealed, seeded and hardened.")
	}
	job := &Job{Options: options, Goal: goal, Holder: Identity(env), env: env}
	if err := job.Level.UnmarshalText([]byte(options.Log.Level)); err != nil {
		return nil, fault.Misuse(fmt.Errorf("--log-level=%q is none of debug, info, warn and error", options.Log.Level), "Write one of the four.")
	}
	records, kind, err := options.Store.Open(env)
	if err != nil {
		return nil, err
	}
	job.Store = records
	resolved, err := job.desired(ctx)
	if err != nil {
		return nil, err
	}
	pods := Pods(records)
	servers, err := options.Vault.Open(env, pods)
	if err != nil {
		return nil, err
	}
	job.resolveLogin = func(declared []seed.LoginMethod) (login.Chain, error) {
		return options.Store.allow(options.Login.resolve(env, kind, options.Store.Name, options.Vault.certificate(env), declared))
	}
	job.loginFiles = func(declared []seed.LoginMethod) []string { return options.Login.files(kind, declared) }
	job.renewCertificates = servers.Cluster.Renew
	methods, err := job.resolveLogin(resolved.login)
	if err != nil {
		return nil, err
	}
	job.declaredLogin = resolved.login
	job.warnings = warningsOf(resolved.declared, resolved.rules)
	job.atRest = atRest{identities: options.Store.newIdentities(env, records), rules: resolved.rules}
	job.Risks, job.Guard = append(servers.risks(), job.warnings...), servers.Cluster.Guard
	pod, _ := env("POD_NAME")
	setting := &states.Setting{
		Name: options.Store.Name, Keyless: options.Store.Keyless(), Holder: job.Holder, Pod: pod, Process: process.Self(verb),
		Writes: options.Parallelism, Reads: 2 * options.Parallelism, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	config := states.Config{
		Preflight:      func(ctx context.Context) error { return store.Ready(ctx, records) },
		SpoolLocations: options.Spool.Locations(env, records, &options.Store),
		Split:          ceremony.KeySplit{Shares: options.Split.Shares, Threshold: options.Split.Threshold},
		Recovery:       options.Split.recovery(),

		AwaitCustodians: options.Custody.Wait, Given: options.Token.given(),
	}
	if err := options.Custody.Assign(&config.Split, &config.Recovery, setting.Now()); err != nil {
		return nil, err
	}
	if err := options.Loss.assign(&config, pods); err != nil {
		return nil, err
	}
	desired, err := resolved.desire(setting, methods)
	if err != nil {
		return nil, err
	}
	config.Sources = servers.Sources(setting, methods, records, desired)
	config.Outside.Record = job.atRest.record
	config.Access.FromSeed = options.Login.declaredBy(resolved.login)
	if resolved.rules.NamesKubernetes() {
		config.Outside.Around = lookAround(records, options.Store.Name, DefaultPodLabels)
	}
	job.Bootstrap = states.New(config)
	return job, nil
}
