package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
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
	strict := false
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
	readOnly, ceremonies := false, "auto"
	cmd := &cobra.Command{
		Use:   "policy FILE|DIRECTORY...",
		Short: "Print the policy that 'run' needs to apply the seed",
		Long: "policy prints the policy of our own login or, with --read-only, that of the role beside\n" +
			"it (NAME-read), which 'plan' and 'verify' log in with. 'run' writes both.",
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
			desired, err := states.NewDesired(name, method, states.Declaration{Objects: loaded.Declared(), Prune: loaded.Prune(), Rules: rules, Ceremonies: rights, Keyless: keys.Keyless()})
			if err != nil {
				return err
			}
			text := desired.PolicyText(!keys.Keyless())
			if readOnly {
				if text = desired.ReadPolicyText(); text == "" {
					return fault.Misuse(fmt.Errorf("--login=%s has no role that only reads", method.Name()), "Its credential belongs to one role: plan and verify use it.")
				}
			}
			_, err = io.WriteString(p.stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", name, "name of the policy and of the role that later runs log in with")
	cmd.Flags().StringVar(&ceremonies, "ceremonies", ceremonies, "whether it includes the endpoints that take key shares, as for 'run': auto and always include them, never does not")
	registerKeys(cmd.Flags(), keys)
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "print the policy of the role that only reads")
	cmd.Flags().StringSliceVar(&login.Methods, "login", nil, "how later runs log in, as for 'run' (default: as the seed says, otherwise kubernetes)")
	login.Given = cmd.Flags().Changed
	cmd.Flags().StringVar(&login.Mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	return cmd
}

func errNoSeed(verb string) error {
	return fault.Misuse(errors.New("no seed file is named"), fmt.Sprintf("Write 'vault-bootstrap seed %s FILE'.", verb))
}
