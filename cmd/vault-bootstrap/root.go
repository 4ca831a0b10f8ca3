package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// lookupIn looks variables up in an environment, as os.Environ returns it.
func lookupIn(environment []string) job.Lookup {
	values := make(map[string]string, len(environment))
	for _, each := range environment {
		if name, value, ok := strings.Cut(each, "="); ok {
			values[name] = value
		}
	}
	return func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
}

// program holds what the verbs share.
type program struct {
	env            job.Lookup
	environment    []string // all of it, for child processes
	stdin          io.Reader
	stdout, stderr io.Writer
	// begun is set once a verb's own code runs: earlier errors are about the command line.
	begun bool
	// reported is set by a verb that has reported its error itself.
	reported bool
}

// input returns where operators' input comes from.
func (p *program) input() input.Source { return input.Source{Stdin: p.stdin, Prompts: p.stderr} }

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vault-bootstrap",
		Short: "Takes a HashiCorp Vault from nothing to hardened, and makes every rerun safe",
		Long: "vault-bootstrap initializes a Vault, keeps its keys safe, unseals every replica, applies\n" +
			"a declared seed of audit devices, policies, auth methods and secret engines, proves that\n" +
			"it can log in again, and revokes the root token. Running it again is always safe.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if versions, _ := cmd.Flags().GetBool("version"); versions {
				_, err := io.WriteString(p.stdout, versionLine())
				return err
			}
			return cmd.Help()
		},
	}
	// Cobra's own flag takes a template to print anything else, which would link five megabytes.
	root.Flags().BoolP("version", "v", false, "print the version")
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetIn(p.stdin)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Misuse(err, fmt.Sprintf("See '%s --help'.", cmd.CommandPath()))
	})
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.fromEnvironment(cmd.Flags()); err != nil {
			return err
		}
		p.begun = true
		return nil
	}
	root.AddCommand(p.runCommand(), p.planCommand(), p.adoptCommand(), p.statusCommand(), p.verifyCommand(), p.seedCommand(), p.breakGlassCommand(), p.keysCommand(),
		p.watchCommand(), p.postStartCommand(), p.waitCommand(), p.installCommand(), p.graphCommand(), p.explainCommand(),
		p.initCommand(), p.doctorCommand(), p.versionCommand())
	withHelp(root)
	withCompletion(root)
	return root
}

// prefix is that of the variables that set flags.
const prefix = "VAULT_BOOTSTRAP_"

// variable returns the name of the variable that sets a flag.
func variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment sets the flags that are not on the command line from their
// variables.
func (p *program) fromEnvironment(flags *pflag.FlagSet) error {
	var problem error
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || problem != nil || flag.Name == "help" || flag.Name == "version" {
			return
		}
		name := variable(flag.Name)
		value, set := p.env(name)
		if !set || value == "" { // templates render unset values as empty
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			problem = fault.Misuse(fmt.Errorf("the variable %s: %w", name, err), "It sets the flag --"+flag.Name+".")
		}
	})
	return problem
}

// exit prints an error with its remedy and returns the exit code.
func (p *program) exit(err error) int {
	if err == nil {
		return 0
	}
	if !p.begun && fault.KindOf(err) == fault.Transient {
		// cobra's own errors, such as an unknown verb, carry no kind.
		err = fault.Misuse(err, "See 'vault-bootstrap --help'.")
	}
	if !p.reported {
		_, _ = fmt.Fprintln(p.stderr, "vault-bootstrap: "+err.Error())
		if remedy := fault.RemedyOf(err); remedy != "" {
			_, _ = fmt.Fprintln(p.stderr, remedy)
		}
	}
	return exitCode(err)
}

// exitFound is the exit code of a verb that only reads and has found something.
const exitFound = 3

func exitCode(err error) int {
	if errors.Is(err, errChanges) || errors.Is(err, errFound) {
		return exitFound
	}
	if child, ok := errors.AsType[*childError](err); ok {
		return child.code
	}
	return report.ExitCode(err)
}

// noArguments refuses arguments with a usage error; cobra's own check would take them for verbs.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fault.Misuse(fmt.Errorf("%s takes no argument, but got %q", cmd.CommandPath(), args[0]), fmt.Sprintf("See '%s --help'.", cmd.CommandPath()))
	}
	return nil
}

var errNoOutput = errors.New("the output is neither table nor json")
