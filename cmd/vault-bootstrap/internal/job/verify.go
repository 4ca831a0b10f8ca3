package job

import (
	"context"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// VerifyOptions say what to judge, by which rules, and how to read Vault.
type VerifyOptions struct {
	Store       StoreOptions
	Vault       VaultOptions
	Login       LoginOptions
	Seed        []string
	Profile     string
	PodLabels   string
	Parallelism int
}

// declared returns the seed; an empty one if none is named.
func (o *VerifyOptions) declared() (*seed.Seed, error) {
	if len(o.Seed) == 0 {
		return &seed.Seed{}, nil
	}
	return seed.Load(o.Seed)
}

// rules returns the rules of the seed, with the profile of the flag if it is given.
func (o *VerifyOptions) rules(declared *seed.Seed) (harden.Rules, error) {
	rules, err := states.RulesOf(declared)
	if err != nil {
		return rules, err
	}
	if !declared.Harden().Declared() { // who asks for a report wants the whole answer
		rules.Profile = harden.Production
	}
	if profile, given := harden.ParseProfile(o.Profile); given {
		rules.Profile = profile
	}
	return rules, nil
}

// Verifier is what it takes to verify a Vault.
type Verifier struct {
	Sources states.Sources
	Rules   harden.Rules
	Records store.Store
	Servers *Servers
}

// Verifier prepares to verify, with the login that only reads if there is one.
func (o *VerifyOptions) Verifier(ctx context.Context, env Lookup, log *slog.Logger) (*Verifier, error) {
	declared, err := o.declared()
	if err != nil {
		return nil, err
	}
	rules, err := o.rules(declared)
	if err != nil {
		return nil, err
	}
	records, kind, err := o.Store.Open(env)
	if err != nil {
		return nil, err
	}
	servers, err := o.Vault.Open(env, Pods(records))
	if err != nil {
		return nil, err
	}
	methods, err := declared.Login(ctx, resolver(env, records, credentials{store: &o.Store, vault: &o.Vault, login: &o.Login, declared: declared.LoginPaths()}))
	if err != nil {
		return nil, err
	}
	chain, err := o.Store.allow(o.Login.resolve(env, kind, o.Store.Name, o.Vault.certificate(env), methods))
	if err != nil {
		return nil, err
	}
	setting := &states.Setting{Name: o.Store.Name, Keyless: o.Store.Keyless(), Reads: o.Parallelism, Now: time.Now, Log: log}
	desired, err := states.NewDesired(setting.Name, chain, states.Declaration{Rules: rules, Namespace: o.Vault.SeedNamespace(env), Keyless: setting.Keyless})
	if err != nil {
		return nil, err
	}
	sources := servers.Sources(setting, chain, records, desired)
	sources.Outside.Around, sources.Access.ReadsOnly = lookAround(records, o.Store.Name, o.PodLabels), true
	sources.Outside.Record = o.Store.newIdentities(env, records).record
	return &Verifier{sources, rules, records, servers}, nil
}

// Keys reads the keys record, which not every login needs.
func (v *Verifier) Keys(ctx context.Context) harden.Fact[store.Keys] {
	record, _, err := v.Records.Keys(ctx)
	if err != nil {
		return harden.NotKnown[store.Keys]("reading the keys record: " + err.Error())
	}
	return harden.Known(record)
}
