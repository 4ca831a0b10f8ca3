package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) keysTestCommand() *cobra.Command {
	options := &keysTestOptions{}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Try the stored keys and credentials against Vault",
		Long: "test has Vault check the stored key shares, by a rekey that is cancelled before it\n" +
			"changes anything, and tries our own login and the credential for ceremonies, if there\n" +
			"is one. It changes nothing in Vault or in the records.",
		Example: "  vault-bootstrap keys test --namespace=vault --vault-service=vault-internal --replicas=3",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.testKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerVault(cmd.Flags(), &options.vault)
	options.own.Store, options.own.Vault = &options.store, &options.vault
	registerOwnLogin(cmd.Flags(), &options.own)
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait for the lease")
	return cmd
}

type keysTestOptions struct {
	store   job.StoreOptions
	vault   job.VaultOptions
	own     job.OwnLoginOptions
	timeout time.Duration
}

func (p *program) testKeys(ctx context.Context, options *keysTestOptions) error {
	records, kind, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return err
	}
	logIns, err := options.own.LogIns(ctx, p.env, records, kind, servers, p.warnings())
	if err != nil {
		return err
	}
	session, log, err := p.beginHeld(ctx, options.timeout, records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	servers.Cluster.Guard(session.Alive)
	administrator := servers.Administrator(session, job.Identity(p.env), log)
	administrator.LogIns = logIns
	trials, err := ceremony.TryKeys(ctx, administrator)
	if err != nil {
		return err
	}
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
