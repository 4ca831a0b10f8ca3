package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

func (p *program) seedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seed",
		Short: "Work with seed files",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.seedValidateCommand(), p.seedPolicyCommand())
	return cmd
}

func (p *program) seedValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE|DIRECTORY...",
		Short: "Check seed files without touching Vault",
		Long: "validate reads the files as 'run' would and reports everything that is wrong with\n" +
			"them, with file, line and column. References to the environment and to files are\n" +
			"not followed, since they may exist only where the seed is applied.",
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errNoSeed("validate")
			}
			loaded, err := seed.Load(paths)
			if err != nil {
				return err
			}
			if _, err := states.RulesOf(loaded.Harden()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "valid: %d objects, %s\n", len(loaded.Declared()), loaded.Digest())
			return err
		},
	}
}

func (p *program) seedPolicyCommand() *cobra.Command {
	name := "vault-bootstrap"
	login := &loginOptions{}
	cmd := &cobra.Command{
		Use:   "policy FILE|DIRECTORY...",
		Short: "Print the policy that 'run' needs to apply the seed",
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errNoSeed("policy")
			}
			loaded, err := seed.Load(paths)
			if err != nil {
				return err
			}
			method, err := login.shape(name)
			if err != nil {
				return err
			}
			rules, err := states.RulesOf(loaded.Harden())
			if err != nil {
				return err
			}
			bootstrap := &states.Bootstrap{Login: method, Name: name, Rules: rules}
			if err := bootstrap.Declare(loaded.Declared()); err != nil {
				return err
			}
			_, err = io.WriteString(p.stdout, bootstrap.PolicyText())
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", name, "name of the policy and of the role that later runs log in with")
	cmd.Flags().StringVar(&login.method, "login", "kubernetes", "how later runs log in: 'kubernetes' or 'approle'")
	cmd.Flags().StringVar(&login.mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	return cmd
}

func errNoSeed(verb string) error {
	return fault.Misuse(errors.New("no seed file is named"), fmt.Sprintf("Write 'vault-bootstrap seed %s FILE'.", verb))
}
