package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/doctor"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
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
		Short: "Show what Vault is now, what is on record, and what a run would do",
		Long: "status shows what the servers are now, what is on record, and what a run would do next. It\n" +
			"reads the checkpoint, which holds no secret, and asks each replica for its health. It needs\n" +
			"no access to the keys and changes nothing.\n\n" +
			"With --exit-code it ends as a run would that is started now, from the same place with the\n" +
			"same flags. It then reads the keys record, rehearses the write of the records and logs in,\n" +
			"as the run does, and changes neither Vault nor a record.",
		Example: "  vault-bootstrap status --vault-addr=https://vault.example:8200\n" +
			"  vault-bootstrap status --exit-code --seed=seed.yaml",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.status(cmd.Context(), options)
		},
	}
	registerForecast(cmd.Flags(), &options.run)
	cmd.Flags().BoolVar(&options.exitCode, "exit-code", false, "look at all that a run looks at, and end with the exit code that it would have")
	cmd.Flags().StringVarP(&options.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&options.timeout, "timeout", 20*time.Second, "how long to wait for answers")
	return cmd
}

type statusOptions struct {
	run      job.RunOptions
	exitCode bool
	output   string
	timeout  time.Duration
}

func (p *program) status(ctx context.Context, options *statusOptions) error {
	if options.output != "table" && options.output != "json" {
		return fault.Misuse(fmt.Errorf("%w: %q", errNoOutput, options.output), "Write -o table or -o json.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	records, kind, err := options.run.Store.Open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.run.Vault.Open(p.env, job.Pods(records))
	if err != nil {
		return err
	}
	var checkpoint store.Checkpoint
	err = job.Permitted(ctx, func(ctx context.Context) (err error) {
		checkpoint, _, err = records.Checkpoint(ctx)
		return err
	})
	if err != nil && !options.exitCode { // otherwise it is a part of what a run would end with
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	job.WarnOfConcerns(ctx, p.warnings(), records)
	shown := report.NewStatus(checkpoint, records.Location(), states.SeedPolicyID(options.run.Store.Name))
	shown.Keyless = options.run.Store.Keyless()
	if err != nil {
		shown.State = "not readable"
	}
	if options.exitCode && job.NotPermitted(err) { // a run gets no further, and this need not be waited for again
		return p.ends(options, shown, fsm.Forecast{Err: err}, nil)
	}
	if options.exitCode {
		return p.foresee(ctx, options, shown, servers)
	}
	keys, _, err := records.Outline(ctx)
	keysRead := err == nil && !shown.Keyless // not everybody may read it
	var replicas fsm.Replicas
	// From outside a cluster, its Vault is not at the default address.
	if kind == job.FileStore || options.run.Vault.Named(p.env) || options.run.Vault.Discovery.Selector != "" {
		err := job.Permitted(ctx, func(ctx context.Context) (err error) {
			replicas, err = cluster.Look(ctx, servers.Members(), nil)
			return err
		})
		if fault.KindOf(err) == fault.Usage && kubestore.Denied(err) { // other errors are those of replicas
			return err
		}
		shown.See(replicas, "")
		forecast, known := job.Outlook(checkpoint, replicas, shown.Keyless, keysRead && keys.Set == nil)
		shown.Foresee(forecast, replicas, known)
	}
	if keysRead {
		shown.MissKeys(states.RefuseMissing(options.run.Store.Name, replicas, keys, checkpoint), replicas)
	}
	return shown.Write(p.stdout, options.output)
}

// foresee shows what a run would do that is started now, and ends as it would.
func (p *program) foresee(ctx context.Context, options *statusOptions, shown report.Status, servers *job.Servers) error {
	prepared, err := job.Prepare(ctx, p.env, "status", &options.run)
	forecast, replicas := fsm.Forecast{Err: err}, fsm.Replicas(nil)
	if err == nil {
		prepared.Bootstrap.LogTo(p.warnings())
		forecast, replicas = walk.New(prepared).Foresee(ctx)
	}
	if replicas == nil {
		replicas = servers.Members().Health(ctx)
	}
	return p.ends(options, shown, forecast, replicas)
}

// ends shows how a run would end, and ends so.
func (p *program) ends(options *statusOptions, shown report.Status, forecast fsm.Forecast, replicas fsm.Replicas) error {
	shown.See(replicas, forecast.State)
	shown.Next = report.NextOf(forecast, replicas, true)
	if err := shown.Write(p.stdout, options.output); err != nil {
		return err
	}
	p.reported = true
	return forecast.Err
}

func (p *program) doctorCommand() *cobra.Command {
	options := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong first, and what to do about it",
		Long: "doctor looks at what a run needs, in this order: the records and the rights to them, the\n" +
			"Lease, the names and the network, TLS, the clocks, the seal, the seed, our login, its policy,\n" +
			"and what a run would do. Each check is a line: ok, wrong, or why it was not made. What is\n" +
			"wrong first comes last, with what to do, and decides the exit code.\n\n" +
			"It takes the flags of the run that it is about, and needs no more rights than that. It\n" +
			"changes neither Vault nor a record. Outside of the pod of a run it leaves out what only\n" +
			"the pod has.",
		Example: "  vault-bootstrap doctor --vault-addr=https://vault.example:8200 --seed=seed.yaml\n" +
			"  kubectl exec POD -- /vault-bootstrap doctor",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.doctor(cmd.Context(), options)
		},
	}
	registerForecast(cmd.Flags(), &options.run)
	cmd.Flags().StringVarP(&options.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to look in all")
	return cmd
}

func (p *program) doctor(ctx context.Context, options *statusOptions) error {
	if options.output != "table" && options.output != "json" {
		return fault.Misuse(fmt.Errorf("%w: %q", errNoOutput, options.output), "Write -o table or -o json.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	found := (&doctor.Doctor{Options: &options.run, Env: p.env, Now: time.Now}).Examine(ctx)
	if err := found.Write(p.stdout, options.output); err != nil {
		return err
	}
	p.reported = true
	return found.Err()
}
