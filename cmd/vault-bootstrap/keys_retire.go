package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/states"
)

func (p *program) keysRetireCommand() *cobra.Command {
	options := &retireOptions{}
	cmd := &cobra.Command{
		Use:   "retire",
		Short: "Put the keys of a Vault that is gone away, to start over with an empty one",
		Long: "retire moves the stored keys within the keys record, to 'old' and under the date: they\n" +
			"are all that opens a backup of the Vault that is gone. It does so only if every replica\n" +
			"says that it is uninitialized. The next run then initializes Vault anew.",
		Example: "  vault-bootstrap keys retire --namespace=vault --vault-service=vault-internal --replicas=3",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.retireKeys(cmd.Context(), options)
		},
	}
	options.store.register(cmd.Flags())
	options.vault.register(cmd.Flags())
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

type retireOptions struct {
	store   storeOptions
	vault   vaultOptions
	timeout time.Duration
}

func (p *program) retireKeys(ctx context.Context, options *retireOptions) error {
	records, _, err := options.store.open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.open(p.env, podsBeside(records))
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
	bootstrap := servers.bootstrap(states.Setting{Log: log, Now: time.Now}, nil, records)
	bootstrap.Records = session
	date, err := bootstrap.Retire(session.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "The keys are put away in %s, under old[%q]. Go on with 'vault-bootstrap run'.\n", records.Location().Keys, date)
	return err
}
