package job

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// PlanOptions say what to plan, and how to read Vault.
type PlanOptions struct {
	Store       StoreOptions
	Vault       VaultOptions
	Login       LoginOptions
	Seed        []string
	TokenFile   string
	Parallelism int
}

// Plan prepares as a run does, without its Lease, and plans. It returns the plan along with an
// error about what no run can change.
func (o *PlanOptions) Plan(ctx context.Context, env Lookup, log *slog.Logger) (*reconcile.Plan, error) {
	declared, err := seed.Load(o.Seed)
	if err != nil {
		return nil, err
	}
	token, err := o.token(env)
	if err != nil {
		return nil, err
	}
	records, kind, err := o.Store.Open(env)
	if err != nil {
		return nil, err
	}
	rules, err := states.RulesOf(declared)
	if err != nil {
		return nil, err
	}
	objects, err := declared.Objects(ctx, resolver(env, records, o.credentials(declared)))
	if err != nil {
		return nil, err
	}
	servers, err := o.Vault.Open(env, Pods(records))
	if err != nil {
		return nil, err
	}
	methods, err := o.planLogin(ctx, env, kind, !token.Empty(), declared, records)
	if err != nil {
		return nil, err
	}
	setting := &states.Setting{Name: o.Store.Name, Keyless: o.Store.Keyless(), Reads: o.Parallelism, Now: time.Now, Log: log}
	grows, err := o.Store.Grows()
	if err != nil {
		return nil, err
	}
	desired, err := states.NewDesired(setting.Name, methods, states.Declaration{Objects: objects, Grows: grows, Prune: declared.Prune(), Rules: rules, Namespace: o.Vault.SeedNamespace(env), Keyless: setting.Keyless})
	if err != nil {
		return nil, err
	}
	sources := servers.Sources(setting, methods, records, desired)
	sources.Access.ReadsOnly = true
	var plan *reconcile.Plan
	err = Permitted(ctx, func(ctx context.Context) error {
		memory, err := readMemory(ctx, records, !token.Empty())
		if err == nil {
			plan, err = states.NewObserver(sources).Plan(ctx, token, memory)
		}
		return err
	})
	return plan, err
}

// planLogin returns the login. With a token, only the names of its objects are needed.
func (o *PlanOptions) planLogin(ctx context.Context, env Lookup, kind StoreKind, haveToken bool, declared *seed.Seed, records store.Store) (login.Chain, error) {
	if haveToken {
		return o.Store.allow(o.Login.Outline(kind, o.Store.Name, declared.LoginPaths()))
	}
	methods, err := declared.Login(ctx, resolver(env, records, o.credentials(declared)))
	if err != nil {
		return nil, err
	}
	return o.Store.allow(o.Login.resolve(env, kind, o.Store.Name, o.Vault.certificate(env), methods))
}

// credentials returns where our own credentials are.
func (o *PlanOptions) credentials(declared *seed.Seed) credentials {
	return credentials{store: &o.Store, vault: &o.Vault, login: &o.Login, tokenFile: o.TokenFile, declared: declared.LoginPaths()}
}

// token returns the token to plan with; empty if none is given.
func (o *PlanOptions) token(env Lookup) (secret.Value, error) {
	if o.TokenFile == "" {
		text, _ := env("VAULT_TOKEN")
		return secret.New(text), nil
	}
	content, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the token: %w", err), "Check --token-file.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}

// readMemory reads what earlier runs have recorded. With a token, the records need not be readable:
// then less is known.
func readMemory(ctx context.Context, records store.Store, haveToken bool) (states.Memory, error) {
	var memory states.Memory
	var err error
	matters := func(err error) bool {
		return err != nil && (!haveToken || fault.KindOf(err) != fault.Usage && !kubestore.Denied(err))
	}
	if memory.Checkpoint, _, err = records.Checkpoint(ctx); matters(err) {
		return memory, fmt.Errorf("reading the checkpoint: %w", err)
	}
	if memory.Keys, _, err = records.Keys(ctx); matters(err) {
		return memory, fmt.Errorf("reading the keys: %w", err)
	}
	memory.Unread = err != nil
	return memory, nil
}
