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
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

func (p *program) keysListCommand() *cobra.Command {
	options := &keysListOptions{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show which keys are stored and who holds them, never a value",
		Long: "list shows what the keys record holds: the kind and number of the key shares, who can\n" +
			"open them, earlier sets, and whether a root token is stored. It shows no value, and a record\n" +
			"that is encrypted need not be opened for it.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.listKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	cmd.Flags().StringVarP(&options.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&options.timeout, "timeout", 20*time.Second, "how long to wait for an answer")
	return cmd
}

type keysListOptions struct {
	store   job.StoreOptions
	output  string
	timeout time.Duration
}

func (p *program) listKeys(ctx context.Context, options *keysListOptions) error {
	if options.output != "table" && options.output != "json" {
		return fault.Misuse(fmt.Errorf("%w: %q", errNoOutput, options.output), "Write -o table or -o json.")
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	keys, _, err := records.Outline(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	job.WarnOfConcerns(ctx, p.warnings(), records)
	shown := report.NewKeys(keys, records.Location().Keys)
	var missing error
	if shown.Keyless = options.store.Keyless(); shown.Keyless {
		if err := states.RefuseKeys(keys); err != nil {
			return err
		}
	} else if checkpoint, _, err := records.Checkpoint(ctx); err == nil { // not everybody may read it
		missing = states.RefuseMissing(options.store.Name, nil, keys, checkpoint)
	}
	return errors.Join(shown.Write(p.stdout, options.output), missing)
}
