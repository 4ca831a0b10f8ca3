package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
)

func (p *program) keysRetireCommand() *cobra.Command {
	options := &retireOptions{}
	cmd := &cobra.Command{
		Use:   "retire",
		Short: "Put away the keys of a Vault that is gone, to start over with an empty one",
		Long: "retire moves the stored keys within the keys record to 'old', under the date: nothing\n" +
			"else opens a backup of the Vault that is gone. It does so only if every replica reports\n" +
			"that it is uninitialized. The next run then initializes Vault again. If a rotation is on\n" +
			"record, each set that may have been in force is put away under its own date.",
		Example: "  vault-bootstrap keys retire --namespace=vault --vault-service=vault-internal --replicas=3",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.retireKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerVault(cmd.Flags(), &options.vault)
	registerConfirmation(cmd.Flags(), &options.confirmed)
	cmd.Flags().BoolVar(&options.forgetBreakGlass, "forget-break-glass", false, "forget the root token of a killed break-glass, although it is alive in any backup that was made meanwhile")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

type retireOptions struct {
	store   job.StoreOptions
	vault   job.VaultOptions
	timeout time.Duration

	forgetBreakGlass bool
	confirmed        input.Confirmation
}

func (p *program) retireKeys(ctx context.Context, options *retireOptions) error {
	if err := options.store.NeedsKeys("keys retire"); err != nil {
		return err
	}
	if err := p.input().Confirm(ctx, options.confirmed, "The stored keys are put away as those of a Vault that is gone; the next run initializes a new one."); err != nil {
		return err
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	session, log, err := p.beginPlain(ctx, records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	dates, err := servers.Administrator(session, job.Identity(p.env), log).Retire(session.Context(), options.forgetBreakGlass)
	if err != nil {
		return err
	}
	for i, date := range dates {
		dates[i] = fmt.Sprintf("old[%q]", date)
	}
	_, err = fmt.Fprintf(p.stdout, "The keys are put away in %s, under %s. Continue with 'vault-bootstrap run'.\n", records.Location().Keys, strings.Join(dates, " and "))
	return err
}
