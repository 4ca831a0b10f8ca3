package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/docs/cookbook"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/scaffold"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) seedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seed",
		Short: "Work with seed files",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.seedValidateCommand(), p.seedSchemaCommand(), p.seedPolicyCommand(), p.seedSelfInitCommand())
	return cmd
}

func (p *program) seedValidateCommand() *cobra.Command {
	strict, keys := false, &job.StoreOptions{}
	cmd := &cobra.Command{
		Use:   "validate FILE|DIRECTORY...",
		Short: "Check seed files without touching Vault",
		Long: "validate reads the files as 'run' would and reports every error in them, with file, line\n" +
			"and column. Policies are parsed with Vault's own grammar; rules that have no effect are\n" +
			"warnings. References are not followed, since what they name may exist only where the\n" +
			"seed is applied.",
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errNoSeed("validate")
			}
			loaded, err := seed.Load(paths)
			if err != nil {
				return err
			}
			rules, err := states.RulesOf(loaded)
			if err != nil {
				return err
			}
			if err := withinCeiling(keys, loaded); err != nil {
				return err
			}
			warnings := rules.Warnings
			for _, warning := range loaded.Warnings() {
				warnings = append(warnings, warning.String())
			}
			for _, warning := range warnings {
				_, _ = fmt.Fprintln(p.stderr, "warning: "+warning)
			}
			if strict && len(warnings) > 0 {
				return fault.BadSeed(fmt.Errorf("the seed has %d warnings", len(warnings)), "Fix them, or omit --strict.")
			}
			_, err = fmt.Fprintf(p.stdout, "valid: %d objects, %s\n", len(loaded.Declared()), loaded.Digest())
			return err
		},
	}
	registerPolicy(cmd.Flags(), keys)
	cmd.Flags().BoolVar(&strict, "strict", false, "treat warnings as errors")
	return cmd
}

func (p *program) seedSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of seed files, for editors",
		Long: "schema prints a JSON Schema with descriptions and examples. An editor with a YAML\n" +
			"language server uses it if a comment in the first line of a seed names it:\n\n" +
			"  # yaml-language-server: $schema=seed.schema.json",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			schema, err := lang.JSONSchema()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(schema)
			return err
		},
	}
}

func (p *program) seedPolicyCommand() *cobra.Command {
	name := "vault-bootstrap"
	login, keys := &job.LoginOptions{}, &job.StoreOptions{}
	readOnly, ceremonies, part := false, "auto", ""
	cmd := &cobra.Command{
		Use:   "policy FILE|DIRECTORY...",
		Short: "Print the policy that 'run' needs to apply the seed",
		Long: "policy prints the policies of our own login: NAME, which only root writes, and NAME-seed,\n" +
			"which is made from the seed and which our login writes itself. Comments say which is\n" +
			"which; --part prints one of them alone, and --policy=fixed one policy for everything.\n" +
			"With --read-only it prints that of the role beside ours (NAME-read), which 'plan' and\n" +
			"'verify' log in with. 'run' writes all of them.",
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errNoSeed("policy")
			}
			loaded, err := seed.Load(paths)
			if err != nil {
				return err
			}
			if err := keys.CheckKeys(); err != nil {
				return err
			}
			method, err := login.Outline(job.KubernetesStore, name, loaded.LoginPaths())
			if err != nil {
				return err
			}
			rules, err := states.RulesOf(loaded)
			if err != nil {
				return err
			}
			rights, err := ceremony.ParseRights(ceremonies)
			if err != nil {
				return err
			}
			grows, err := keys.Grows()
			if err != nil {
				return err
			}
			desired, err := states.NewDesired(name, method, states.Declaration{Objects: loaded.Declared(), Grows: grows, Prune: loaded.Prune(), Rules: rules, Ceremonies: rights, Keyless: keys.Keyless()})
			if err != nil {
				return err
			}
			text, err := policyParts(desired, part, readOnly, name, method.Name(), !keys.Keyless())
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", name, "name of the policy and of the role that later runs log in with")
	cmd.Flags().StringVar(&ceremonies, "ceremonies", ceremonies, "whether it includes the endpoints that take key shares, as for 'run': auto and always include them, never does not")
	registerKeys(cmd.Flags(), keys)
	cmd.Flags().StringVar(&part, "part", "", "print one policy alone: core (NAME) or seed (NAME-seed)")
	registerPolicy(cmd.Flags(), keys)
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "print the policy of the role that only reads")
	cmd.Flags().StringSliceVar(&login.Methods, "login", nil, "how later runs log in, as for 'run' (default: as the seed says, otherwise kubernetes)")
	login.Given = cmd.Flags().Changed
	cmd.Flags().StringVar(&login.Mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	return cmd
}

// withinCeiling refuses a seed that takes more than our login may give itself.
func withinCeiling(options *job.StoreOptions, loaded *seed.Seed) error {
	grows, err := options.Grows()
	if err != nil || !grows {
		return err
	}
	return states.WithinCeiling(loaded.Declared())
}

// policyParts returns the policies that are asked for.
func policyParts(desired *states.Desired, part string, readOnly bool, name, method string, holdsShares bool) (string, error) {
	core := desired.PolicyText(holdsShares)
	named, made := desired.SeedPolicy()
	switch {
	case readOnly:
		if text := desired.ReadPolicyText(); text != "" {
			return text, nil
		}
		return "", fault.Misuse(fmt.Errorf("--login=%s has no role that only reads", method), "Its credential belongs to one role: plan and verify use it.")
	case part == "core", part == "" && made == "":
		return core, nil
	case part == "seed" && made == "":
		return "", fault.Misuse(errors.New("--part=seed with --policy=fixed: there is one policy for everything"), "Omit one of the two.")
	case part == "seed":
		return made, nil
	case part != "":
		return "", fault.Misuse(fmt.Errorf("--part=%q is neither core nor seed", part), "Omit it for both policies.")
	}
	return fmt.Sprintf("# The policy %q, which only root writes.\n%s\n# The policy %q.\n%s", name, core, named, made), nil
}

func errNoSeed(verb string) error {
	return fault.Misuse(errors.New("no seed file is named"), fmt.Sprintf("Write 'vault-bootstrap seed %s FILE'.", verb))
}

func (p *program) initCommand() *cobra.Command {
	options := &initOptions{}
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a first seed, with comments",
		Long: "init writes a seed to begin with, of parts that are seeds of the cookbook: FILE is\n" +
			"seed.yaml by default, and - is standard output. A file that exists is kept, except with\n" +
			"--force. At a terminal it asks which parts to take, unless --with names them.\n\n" +
			"The parts are:\n" + listed(scaffold.Parts()),
		Example: "  vault-bootstrap init --with=kubernetes,pki\n" +
			"  vault-bootstrap init --with=oidc -",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fault.Misuse(fmt.Errorf("%s takes one file, but got %d arguments", cmd.CommandPath(), len(args)), fmt.Sprintf("See '%s --help'.", cmd.CommandPath()))
			}
			options.file, options.chosen = "seed.yaml", cmd.Flags().Changed("with")
			if len(args) == 1 {
				options.file = args[0]
			}
			return p.init(cmd.Context(), options)
		},
	}
	cmd.Flags().StringSliceVar(&options.with, "with", nil, "parts to take, separated by commas; empty for none but what every Vault needs")
	cmd.Flags().BoolVar(&options.force, "force", false, "replace the file if it exists")
	return cmd
}

type initOptions struct {
	file string
	with []string
	// chosen is whether the parts are given.
	chosen, force bool
}

// listed returns the parts, a line each.
func listed(parts []scaffold.Part) string {
	text := ""
	for _, part := range parts {
		text += fmt.Sprintf("  %-11s %s\n", part.Name, part.About)
	}
	return strings.TrimSuffix(text, "\n")
}

// init writes a first seed.
func (p *program) init(ctx context.Context, options *initOptions) error {
	if !options.force && options.file != "-" {
		if _, err := os.Stat(options.file); err == nil { // before anything is asked
			return errExists(options.file)
		}
	}
	if !options.chosen {
		answer, err := p.input().Ask(ctx, "The parts are:\n"+listed(scaffold.Parts())+"\nWhich of them, separated by commas? ", "Name the parts with --with, as in --with=kubernetes,pki.")
		if err != nil {
			return err
		}
		options.with = strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' })
	}
	text, err := scaffold.Compose(cookbook.Seeds, options.with)
	if errors.Is(err, scaffold.ErrUnknown) {
		return fault.Misuse(err, "'vault-bootstrap init --help' lists the parts.")
	}
	if err != nil {
		return err
	}
	if options.file == "-" {
		_, err := io.WriteString(p.stdout, text)
		return err
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if options.force {
		flag = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(options.file, flag, 0o644) //nolint:gosec // a seed holds no secret
	if errors.Is(err, fs.ErrExist) {
		return errExists(options.file)
	}
	if err != nil {
		return fault.Misuse(fmt.Errorf("writing the seed: %w", err), "Name a file in a directory that exists, or - for standard output.")
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the seed: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s is written. Change what is yours in it, then:\n  vault-bootstrap seed validate %[1]s\n  vault-bootstrap plan --seed=%[1]s\n  vault-bootstrap run --seed=%[1]s\n", options.file)
	return err
}

func errExists(file string) error {
	return fault.Misuse(fmt.Errorf("%s exists, and is not replaced", file), "Name another file, or replace it with --force.")
}
