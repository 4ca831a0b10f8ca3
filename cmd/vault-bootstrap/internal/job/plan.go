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
)

// PlanOptions say what to plan, and how to read Vault.
type PlanOptions struct {
	// Run are the options of the run that is planned for.
	Run       RunOptions
	TokenFile string
	// Parallelism is how many calls to Vault are in flight.
	Parallelism int
}

// Plan prepares as a run does, without its Lease, and plans. It returns the plan along with the error
// that a run would end with.
func (o *PlanOptions) Plan(ctx context.Context, env Lookup, log *slog.Logger) (*reconcile.Plan, error) {
	token, err := o.token(env)
	if err != nil {
		return nil, err
	}
	if !token.Empty() {
		return o.withToken(ctx, env, token, log)
	}
	job, err := Prepare(ctx, env, "plan", &o.Run)
	if err != nil {
		return nil, err
	}
	b := job.Bootstrap
	b.LogTo(log)
	b.Setting().Reads = o.Parallelism
	var memory states.Memory
	err = Permitted(ctx, func(ctx context.Context) (err error) {
		memory, err = readMemory(ctx, job.Store, false)
		return err
	})
	if err != nil {
		// A rule that is missing passes for a while, and a run ends with what is missing.
		if missing := job.Store.Preflight(ctx); fault.KindOf(missing) == fault.Usage {
			return nil, missing
		}
		return nil, err
	}
	// A login of its own, since that of the role that only reads is another one.
	reader := *b.Access()
	reader.ReadsOnly = true
	plan, err := states.PlannerFor(b).Plan(ctx, states.Reading{Role: &reader}, memory)
	return warn(plan, job.warnings), err
}

// withToken plans with a token that a person has given. Of the login of a run only the names of its
// objects are needed, and the records need not be readable.
func (o *PlanOptions) withToken(ctx context.Context, env Lookup, token secret.Value, log *slog.Logger) (*reconcile.Plan, error) {
	run := &o.Run
	declared, err := seed.Load(run.Seed)
	if err != nil {
		return nil, err
	}
	records, kind, err := run.Store.Open(env)
	if err != nil {
		return nil, err
	}
	rules, err := states.RulesOf(declared)
	if err != nil {
		return nil, err
	}
	own := credentials{store: &run.Store, vault: &run.Vault, login: &run.Login, spool: &run.Spool, tokenFile: o.TokenFile, declared: declared.LoginPaths()}
	objects, err := declared.Objects(ctx, resolver(env, records, own))
	if err != nil {
		return nil, err
	}
	servers, err := run.Vault.Open(env, Pods(records))
	if err != nil {
		return nil, err
	}
	methods, err := run.Store.allow(run.Login.Outline(kind, run.Store.Name, declared.LoginPaths()))
	if err != nil {
		return nil, err
	}
	setting := &states.Setting{Name: run.Store.Name, Keyless: run.Store.Keyless(), Reads: o.Parallelism, Now: time.Now, Log: log}
	grows, err := run.Store.Grows()
	if err != nil {
		return nil, err
	}
	desired, err := states.NewDesired(setting.Name, methods, states.Declaration{Objects: objects, Grows: grows, Prune: declared.Prune(), Rules: rules, Namespace: run.Vault.SeedNamespace(env), Keyless: setting.Keyless})
	if err != nil {
		return nil, err
	}
	var plan *reconcile.Plan
	err = Permitted(ctx, func(ctx context.Context) error {
		memory, err := readMemory(ctx, records, true)
		if err == nil {
			plan, err = states.NewPlanner(servers.Sources(setting, methods, records, desired)).Plan(ctx, states.Reading{Token: token}, memory)
		}
		return err
	})
	return warn(plan, warningsOf(declared, rules)), err
}

// warn puts the warnings about the seed before those of a plan, if there is one.
func warn(plan *reconcile.Plan, warnings []string) *reconcile.Plan {
	if plan != nil {
		plan.Warnings = append(warnings, plan.Warnings...)
	}
	return plan
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
