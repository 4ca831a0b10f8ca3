package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

type planOptions struct {
	job      job.PlanOptions
	timeout  time.Duration
	output   string
	detailed bool
}

func (p *program) planCommand() *cobra.Command {
	options := &planOptions{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what 'run' would change, without changing anything",
		Long: "plan reads Vault and prints what 'run' would create, update and delete, field by field.\n" +
			"Of secret values it shows only whether they change. Where a run would stop, it says why,\n" +
			"and ends with the exit code that the run would have. It logs in as later runs do, reads by\n" +
			"the role that only reads if there is one, and asks Vault what our own role may do. With a\n" +
			"token in --token-file or VAULT_TOKEN it reads with that, and judges no run.",
		Example: "  vault-bootstrap plan --seed seed.yaml --detailed-exitcode",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.plan(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	registerForecast(flags, &options.job.Run)
	flags.StringVar(&options.job.TokenFile, "token-file", "", "file with a token to read Vault with (default: VAULT_TOKEN, otherwise the login of later runs)")
	flags.IntVar(&options.job.Parallelism, "parallelism", 32, "calls to Vault in flight")
	flags.DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	flags.StringVarP(&options.output, "output", "o", "text", "text or json")
	flags.BoolVar(&options.detailed, "detailed-exitcode", false, "exit with 3 when there are changes")
	return cmd
}

// errChanges is not a failure, but sets the exit code.
var errChanges = errors.New("there are changes")

func (p *program) plan(ctx context.Context, options *planOptions) error {
	switch {
	case len(options.job.Run.Seed) == 0:
		return fault.Misuse(errors.New("no seed is named"), "Write 'vault-bootstrap plan --seed FILE'.")
	case options.output != "text" && options.output != "json":
		return fault.Misuse(fmt.Errorf("--output=%q is neither text nor json", options.output), "Write one of the two.")
	case options.job.Parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism must be at least 1, got %d", options.job.Parallelism), "With 1, calls are made one at a time.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	plan, err := options.job.Plan(ctx, p.env, p.warnings())
	if plan == nil {
		return err
	}
	plan.Ending = report.EndingOf(err)
	show, to := plan.Print, p.painted(report.PlanColours(), true)
	if options.output == "json" {
		show, to = plan.PrintJSON, p.stdout
	}
	if printErr := show(to); printErr != nil || err != nil {
		return errors.Join(err, printErr)
	}
	if options.detailed && !plan.Empty() {
		p.reported = true
		return errChanges
	}
	return nil
}
