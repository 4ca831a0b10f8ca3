package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Work with the stored keys",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.keysListCommand(), p.keysRotateCommand(), p.keysTestCommand(), p.keysRecoverCommand(), p.keysRetireCommand())
	return cmd
}

func (p *program) keysRecoverCommand() *cobra.Command {
	options := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Store keys from a spooled init response",
		Long: "recover stores what a run has spooled between Vault's answer and the store: a .spool\n" +
			"file, or the termination message of the pod that ran. It is encrypted; the key that\n" +
			"opens it is in the keys record.",
		Example: "  kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].state.terminated.message}' |\n" +
			"    vault-bootstrap keys recover --from=-",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.recoverKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerSpool(cmd.Flags(), &options.spool)
	registerCustody(cmd.Flags(), &options.custody)
	cmd.Flags().StringVar(&options.from, "from", "", "file that holds the spooled answer, or - for standard input")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

type recoverOptions struct {
	store   job.StoreOptions
	spool   job.SpoolOptions
	custody job.CustodyOptions
	from    string
	timeout time.Duration
}

func (p *program) recoverKeys(ctx context.Context, options *recoverOptions) error {
	if err := options.store.NeedsKeys("keys recover"); err != nil {
		return err
	}
	text, err := p.input().Read("--from", options.from)
	if err != nil {
		return err
	}
	records, _, err := options.store.Open(p.env)
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
	// No server is asked: everything needed is on record and in the answer.
	locations := options.spool.Locations(p.env, records, &options.store)
	var split, recovery ceremony.KeySplit
	if err := options.custody.Assign(&split, &recovery, time.Now()); err != nil {
		return err
	}
	if err := states.NewDelivery(&states.Setting{Log: log, Now: time.Now}, session, locations, split, recovery).Recover(session.Context(), text); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "The keys are stored in %s. Continue with 'vault-bootstrap run'.\n", records.Location().Keys)
	return err
}
