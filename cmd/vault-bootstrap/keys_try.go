package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// keysTestOptions are the flags of 'keys test'.
type keysTestOptions struct {
	ceremonyOptions
	recipientsOnly bool
}

func (p *program) keysTestCommand() *cobra.Command {
	options := &keysTestOptions{}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Try the stored keys and credentials against Vault",
		Long: "test has Vault check the stored key shares, by a rekey that is cancelled before it\n" +
			"changes anything, and tries our own login and the credential for ceremonies, if there\n" +
			"is one. It changes nothing in Vault.\n\n" +
			"Of an encrypted record, it has each recipient of --keys-to unwrap the data key, and each\n" +
			"whose identity --keys-identity names, and records for each that did when that was: keys\n" +
			"list shows it. Whoever keeps the identity of an escrow needs nothing else: with\n" +
			"--recipients-only, Vault is not asked.",
		Example: "  vault-bootstrap keys test --namespace=vault --vault-service=vault-internal --replicas=3\n" +
			"  vault-bootstrap keys test --namespace=vault --keys-identity=safe.txt --recipients-only",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.testKeys(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags(), "how long to wait for the lease")
	cmd.Flags().BoolVar(&options.recipientsOnly, "recipients-only", false, "try the recipients of an encrypted record only, and do not ask Vault")
	return cmd
}

func (p *program) testKeys(ctx context.Context, options *keysTestOptions) error {
	if err := options.store.NeedsKeys("keys test"); err != nil {
		return err
	}
	if err := options.store.AddIdentified(ctx, p.env); err != nil {
		return err
	}
	var trials []ceremony.Trial
	var err error
	if options.recipientsOnly {
		trials, err = p.testRecipients(ctx, options)
	} else {
		trials, err = p.testAll(ctx, options)
	}
	return errors.Join(err, p.showTrials(trials))
}

// testAll tries the recipients first: whether they work is recorded even if Vault does not answer.
func (p *program) testAll(ctx context.Context, options *keysTestOptions) ([]ceremony.Trial, error) {
	held, err := p.holdKeys(ctx, &options.ceremonyOptions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = held.session.Close() }()
	opened, err := tryRecipients(ctx, held.records, held.session)
	if err != nil {
		return opened, err
	}
	trials, err := ceremony.TryKeys(ctx, held.Administrator)
	return append(trials, opened...), err
}

func (p *program) testRecipients(ctx context.Context, options *keysTestOptions) ([]ceremony.Trial, error) {
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return nil, err
	}
	session, _, err := p.beginHeld(ctx, options.timeout, records)
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }()
	trials, err := tryRecipients(ctx, records, session)
	if err == nil && len(trials) == 0 {
		err = fault.Misuse(errors.New("the keys record is not encrypted: it has no recipients"), "'vault-bootstrap keys reseal --keys-to=RECIPIENT' encrypts it.")
	}
	return trials, err
}

// showTrials prints what came of each trial, and returns the error of those that failed.
func (p *program) showTrials(trials []ceremony.Trial) error {
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
		return fault.Stop("keys fail their test", err, "Nothing was changed in Vault. Look at each that fails: docs/runbook.md, 'keys fail their test'.")
	}
	return nil
}

// tryRecipients has each recipient of an encrypted record unwrap its data key, and records when.
func tryRecipients(ctx context.Context, records store.Store, session *fencing.Session) ([]ceremony.Trial, error) {
	proofs, err := job.Prove(ctx, records, session, time.Now())
	var trials []ceremony.Trial
	for _, proof := range proofs {
		trial := ceremony.Trial{Name: proof.Recipient, Err: proof.Err}
		last := "never proven"
		if !proof.Last.IsZero() {
			last = "last proven " + proof.Last.Format(time.RFC3339)
		}
		switch {
		case proof.NotGiven:
			trial.Skipped = "--keys-to does not name it, " + last
		case proof.NoIdentity:
			trial.Skipped = "its identity is not here, " + last
		}
		trials = append(trials, trial)
	}
	return trials, err
}
