package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) keysTestCommand() *cobra.Command {
	options := &ceremonyOptions{}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Try the stored keys and credentials against Vault",
		Long: "test has Vault check the stored key shares, by a rekey that is cancelled before it\n" +
			"changes anything, and tries our own login and the credential for ceremonies, if there\n" +
			"is one. Of an encrypted record, it has each recipient of --keys-to unwrap the data key.\n" +
			"It changes nothing in Vault or in the records.",
		Example: "  vault-bootstrap keys test --namespace=vault --vault-service=vault-internal --replicas=3",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.testKeys(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags(), "how long to wait for the lease")
	return cmd
}

func (p *program) testKeys(ctx context.Context, options *ceremonyOptions) error {
	if err := options.store.NeedsKeys("keys test"); err != nil {
		return err
	}
	held, err := p.holdKeys(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = held.session.Close() }()
	trials, err := ceremony.TryKeys(ctx, held.Administrator)
	if err != nil {
		return err
	}
	opened, err := tryRecipients(ctx, held)
	if err != nil {
		return err
	}
	trials = append(trials, opened...)
	var failed []error
	for _, trial := range trials {
		result := "works"
		switch {
		case trial.Skipped != "":
			result = "not tried: " + trial.Skipped
		case trial.Err != nil:
			result = "FAILS"
			failed = append(failed, fmt.Errorf("%s: %w", trial.Name, trial.Err))
		}
		if _, err := fmt.Fprintf(p.stdout, "%-26s %s\n", trial.Name, result); err != nil {
			return err
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fault.Stop("keys fail their test", err, "Nothing was changed. Look at each that fails: docs/runbook.md, 'keys fail their test'.")
	}
	return nil
}

// tryRecipients has each recipient of an encrypted record unwrap its data key, as another process
// would have it do.
func tryRecipients(ctx context.Context, held *heldKeys) ([]ceremony.Trial, error) {
	keys, err := held.session.Keys(ctx)
	if err != nil || keys.Sealing == nil {
		return nil, err
	}
	codec, err := job.Codec(held.records)
	if err != nil {
		return nil, err
	}
	results := codec.Try(ctx, *keys.Sealing)
	var trials []ceremony.Trial
	for _, wrap := range keys.Sealing.Wraps {
		trial := ceremony.Trial{Name: wrap.Recipient}
		switch err, tried := results[wrap.Recipient]; {
		case !tried:
			trial.Skipped = "--keys-to does not name it"
		case codec.Escrow(err):
			trial.Skipped = "its identity is not here"
		default:
			trial.Err = err
		}
		trials = append(trials, trial)
	}
	return trials, nil
}
