package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

type planOptions struct {
	store       job.StoreOptions
	vault       job.VaultOptions
	login       job.LoginOptions
	seed        []string
	tokenFile   string
	parallelism int
	timeout     time.Duration
	output      string
	detailed    bool
}

func (p *program) planCommand() *cobra.Command {
	options := &planOptions{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what 'run' would change, without changing anything",
		Long: "plan reads Vault and prints what 'run' would create, update and delete, field by\n" +
			"field. Secret values are told as changed or not. It needs no more than read access:\n" +
			"a token in --token-file or VAULT_TOKEN, or else the login of later runs, by the role\n" +
			"that only reads where there is one.",
		Example: "  vault-bootstrap plan --seed seed.yaml --detailed-exitcode",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.plan(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	registerStore(flags, &options.store)
	registerVault(flags, &options.vault)
	registerLogin(flags, &options.login)
	flags.StringSliceVar(&options.seed, "seed", nil, "seed file or directory; may be repeated")
	flags.StringVar(&options.tokenFile, "token-file", "", "file with a token to read Vault with (default: VAULT_TOKEN, else the login of later runs)")
	flags.IntVar(&options.parallelism, "parallelism", 16, "calls to Vault in flight")
	flags.DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	flags.StringVarP(&options.output, "output", "o", "text", "text or json")
	flags.BoolVar(&options.detailed, "detailed-exitcode", false, "exit with 3 when there are changes")
	return cmd
}

// errChanges is not a failure: it makes the exit code.
var errChanges = errors.New("there are changes")

func (p *program) plan(ctx context.Context, options *planOptions) error {
	switch {
	case len(options.seed) == 0:
		return fault.Misuse(errors.New("no seed is named"), "Write 'vault-bootstrap plan --seed FILE'.")
	case options.output != "text" && options.output != "json":
		return fault.Misuse(fmt.Errorf("--output=%q is neither text nor json", options.output), "Write one of the two.")
	case options.parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism=%d is less than 1", options.parallelism), "One call at a time is the least.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	plan, err := p.makePlan(ctx, options)
	if plan == nil {
		return err
	}
	show := plan.Print
	if options.output == "json" {
		show = plan.PrintJSON
	}
	if printErr := show(p.stdout); printErr != nil || err != nil {
		return errors.Join(err, printErr)
	}
	if options.detailed && !plan.Empty() {
		p.told = true
		return errChanges
	}
	return nil
}

// makePlan prepares as a run does, without its Lease, and plans. A plan comes together
// with an error when something in it cannot be put right.
func (p *program) makePlan(ctx context.Context, options *planOptions) (*seed.Plan, error) {
	declared, err := job.LoadSeed(options.seed)
	if err != nil {
		return nil, err
	}
	token, err := p.token(options.tokenFile)
	if err != nil {
		return nil, err
	}
	records, kind, err := options.store.Open(p.env)
	if err != nil {
		return nil, err
	}
	rules, err := states.RulesOf(declared.Harden())
	if err != nil {
		return nil, err
	}
	objects, err := declared.Objects(ctx, job.Resolver(p.env, records, options.own(declared)))
	if err != nil {
		return nil, err
	}
	servers, err := options.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return nil, err
	}
	methods, err := p.planLogin(ctx, options, kind, !token.Empty(), declared, records)
	if err != nil {
		return nil, err
	}
	setting := &states.Setting{Name: options.store.Name, Parallelism: options.parallelism, Now: time.Now, Log: p.warnings()}
	desired, err := states.NewDesired(setting.Name, methods, states.Declaration{Objects: objects, Prune: declared.Prune(), Rules: rules})
	if err != nil {
		return nil, err
	}
	sources := servers.Sources(setting, methods, records, desired)
	sources.Access.ReadsOnly = true
	memory, err := readMemory(ctx, records, !token.Empty())
	if err != nil {
		return nil, err
	}
	return states.NewObserver(sources).Plan(ctx, token, memory)
}

// planLogin returns the login. With a token it is needed for the names of its objects
// only.
func (p *program) planLogin(ctx context.Context, options *planOptions, kind job.StoreKind, haveToken bool, declared *seed.Seed, records store.Store) (login.Chain, error) {
	if haveToken {
		return options.login.Outline(kind, options.store.Name, declared.LoginPaths())
	}
	methods, err := declared.Login(ctx, job.Resolver(p.env, records, options.own(declared)))
	if err != nil {
		return nil, err
	}
	return options.login.Resolve(p.env, kind, options.store.Name, options.vault.Certificate(p.env), methods)
}

// own says where our own credentials are.
func (o *planOptions) own(declared *seed.Seed) job.Credentials {
	return job.Credentials{Store: &o.store, Vault: &o.vault, Login: &o.login, TokenFile: o.tokenFile, Declared: declared.LoginPaths()}
}

// token returns the token to plan with; empty if none is given.
func (p *program) token(file string) (secret.Value, error) {
	if file == "" {
		text, _ := p.env("VAULT_TOKEN")
		return secret.New(text), nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the token: %w", err), "Check --token-file.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}

// readMemory reads what earlier runs remember. Who has a token may have no access to
// the records: then less is known.
func readMemory(ctx context.Context, records store.Store, haveToken bool) (states.Memory, error) {
	var memory states.Memory
	var err error
	matters := func(err error) bool { return err != nil && (!haveToken || fault.KindOf(err) != fault.Usage) }
	if memory.Checkpoint, _, err = records.Checkpoint(ctx); matters(err) {
		return memory, fmt.Errorf("reading the checkpoint: %w", err)
	}
	if memory.Keys, _, err = records.Keys(ctx); matters(err) {
		return memory, fmt.Errorf("reading the keys: %w", err)
	}
	return memory, nil
}
