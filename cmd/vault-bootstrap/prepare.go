package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
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
	rules, err := states.RulesOf(declared.Harden())
	if err != nil {
		return nil, err
	}
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return nil, err
	}
	pods := podsBeside(records)
	servers, err := options.vault.open(p.env, pods)
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
	if err := options.loss.assign(job.bootstrap, pods); err != nil {
		return nil, err
	}
	servers.assign(job.bootstrap)
	job.bootstrap.Rules = rules
	if rules.NamesKubernetes() {
		job.bootstrap.Around = around(records, options.store.name, defaultPodLabels)
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
