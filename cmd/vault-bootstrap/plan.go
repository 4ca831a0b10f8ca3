package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

type planOptions struct {
	store       storeOptions
	vault       vaultOptions
	login       loginOptions
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
	options.store.register(flags)
	options.vault.register(flags)
	options.login.register(flags)
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
func (p *program) makePlan(ctx context.Context, options *planOptions) (*reconcile.Plan, error) {
	declared, err := loadSeed(options.seed)
	if err != nil {
		return nil, err
	}
	token, err := p.token(options.tokenFile)
	if err != nil {
		return nil, err
	}
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return nil, err
	}
	rules, err := states.RulesOf(declared.Harden())
	if err != nil {
		return nil, err
	}
	objects, err := declared.Objects(ctx, p.resolver(records, options.own(declared)))
	if err != nil {
		return nil, err
	}
	servers, err := options.vault.open(p.env, podsBeside(records))
	if err != nil {
		return nil, err
	}
	login, err := p.planLogin(ctx, options, kind, !token.Empty(), declared, records)
	if err != nil {
		return nil, err
	}
	setting := states.Setting{Name: options.store.name, Parallelism: options.parallelism, Now: time.Now, Log: p.warnings()}
	bootstrap := servers.bootstrap(setting, login, records)
	bootstrap.Prune, bootstrap.Rules, bootstrap.ReadsOnly = declared.Prune(), rules, true
	if err := bootstrap.Declare(objects); err != nil {
		return nil, err
	}
	memory, err := readMemory(ctx, records, !token.Empty())
	if err != nil {
		return nil, err
	}
	return bootstrap.Plan(ctx, token, memory)
}

// warnings is the log of a verb that looks: what is printed is its result.
func (p *program) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// planLogin returns the login. With a token it is needed for the names of its objects
// only.
func (p *program) planLogin(ctx context.Context, options *planOptions, kind storeKind, haveToken bool, declared *seed.Seed, records store.Store) (states.Login, error) {
	if haveToken {
		return options.login.outline(kind, options.store.name, declared.LoginPaths())
	}
	methods, err := declared.Login(ctx, p.resolver(records, options.own(declared)))
	if err != nil {
		return nil, err
	}
	return options.login.resolve(p.env, kind, options.store.name, options.vault.certificate(p.env), methods)
}

// own says where our own credentials are.
func (o *planOptions) own(declared *seed.Seed) ownPlaces {
	return ownPlaces{store: &o.store, vault: &o.vault, login: &o.login, tokenFile: o.tokenFile, declared: declared.LoginPaths()}
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
