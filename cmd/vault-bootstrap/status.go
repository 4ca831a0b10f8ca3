package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

func (p *program) statusCommand() *cobra.Command {
	options := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the bootstrap has come",
		Long: "status reads the checkpoint, which holds no secret, and asks each replica for its\n" +
			"health. It needs no access to the keys and changes nothing.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.status(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerVault(cmd.Flags(), &options.vault)
	cmd.Flags().StringVarP(&options.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&options.timeout, "timeout", 20*time.Second, "how long to wait for answers")
	return cmd
}

type statusOptions struct {
	store   job.StoreOptions
	vault   job.VaultOptions
	output  string
	timeout time.Duration
}

func (p *program) status(ctx context.Context, options *statusOptions) error {
	if options.output != "table" && options.output != "json" {
		return fault.Misuse(fmt.Errorf("%w: %q", errNoOutput, options.output), "Write -o table or -o json.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	records, kind, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return err
	}
	var checkpoint store.Checkpoint
	err = job.Permitted(ctx, func(ctx context.Context) error {
		checkpoint, _, err = records.Checkpoint(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	job.WarnOfConcerns(ctx, p.warnings(), records)
	shown := report.NewStatus(checkpoint, records.Location(), states.SeedPolicyID(options.store.Name))
	shown.Keyless = options.store.Keyless()
	var replicas fsm.Replicas
	// From outside a cluster, its Vault is not at the default address.
	if kind == job.FileStore || options.vault.Named(p.env) || options.vault.Discovery.Selector != "" {
		err := job.Permitted(ctx, func(ctx context.Context) (err error) {
			replicas, err = cluster.Look(ctx, servers.Members(), nil)
			return err
		})
		if fault.KindOf(err) == fault.Usage && kubestore.Denied(err) { // other errors are those of replicas
			return err
		}
		for _, replica := range replicas {
			shown.Replicas = append(shown.Replicas, report.Replica{Address: replica.Address, Health: string(replica.Health), Product: string(replica.Product.Kind),
				Version: replica.Product.Version.String(), Answer: replica.Answer})
		}
	}
	if keys, _, err := records.Keys(ctx); err == nil && !shown.Keyless { // not everybody may read it
		shown.MissKeys(states.RefuseMissing(options.store.Name, replicas, keys, checkpoint))
	}
	return shown.Write(p.stdout, options.output)
}
