package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
)

func (p *program) runCommand() *cobra.Command {
	options, sidecar := &job.RunOptions{}, &job.SidecarOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take Vault to hardened, from whatever state it is in",
		Long: "run finds out what state Vault is in and does what is left to do: initialize it and\n" +
			"store its keys, unseal every replica, apply the seed, prove its own login, revoke the\n" +
			"root token. It may be run again at any time, and several times at once: one run acts,\n" +
			"the others wait.",
		Example: "  vault-bootstrap run --vault-addr https://127.0.0.1:8200 --ca-cert ca.pem --seed seed.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sidecar.Check(); err != nil {
				return p.refuse(options, err)
			}
			err := p.run(cmd.Context(), options)
			p.endSidecar(cmd.Context(), sidecar)
			return err
		},
	}
	registerRun(cmd.Flags(), options)
	registerToken(cmd.Flags(), &options.Token)
	registerSidecar(cmd.Flags(), sidecar)
	return cmd
}

// endSidecar asks the mesh's proxy to end. A failure does not change how our own work ended.
func (p *program) endSidecar(ctx context.Context, sidecar *job.SidecarOptions) {
	if failed := sidecar.End(ctx); failed != nil {
		report.NewLines(p.stderr, slog.LevelWarn).Log().Warn("the sidecar keeps the pod from ending", "error", failed.Error())
	}
}

// run prepares everything that can be refused without touching Vault, then takes
// the Lease and walks the machine.
func (p *program) run(ctx context.Context, options *job.RunOptions) error {
	var err error
	if options.Token.Value, err = p.input().Token(options.Token.File); err != nil {
		return p.refuse(options, err)
	}
	prepared, err := job.Prepare(ctx, p.env, "run", options)
	if err != nil {
		return p.refuse(options, err)
	}
	return p.perform(ctx, walk.New(prepared))
}

// refuse reports an error from before the walk. The format may not have been validated yet, but a
// program that reads JSON should get nothing else.
func (p *program) refuse(options *job.RunOptions, err error) error {
	if p.format(options) == "json" {
		p.reported = report.LogFailure(report.NewLines(p.stderr, slog.LevelError), err)
	}
	return err
}

// perform walks and reports the outcome.
func (p *program) perform(ctx context.Context, w *walk.Walk) error {
	progress := p.reporter(w.Job.Options, w.Job.Level)
	all := w.WithEvents(progress)
	err := w.Run(ctx, all)
	if err != nil {
		report.LogChanges(all, w.Changes)
		report.SendFailure(all, err)
	} else {
		report.SendChanges(all, w.Changes)
	}
	if failed := report.WriteTermination(w.Job.Options.Spool.Termination, report.Ending(w.Outcome, w.Changes, err)); failed != nil {
		progress.Log().Warn("the termination message does not say how this ended", "error", failed.Error())
	}
	all.Close(err != nil)
	if err != nil {
		p.reported = report.LogFailure(progress, err)
		return err
	}
	return w.Summary().Write(p.stdout, progress)
}

// reporter chooses between the live list and JSON lines.
func (p *program) reporter(options *job.RunOptions, level slog.Level) report.Reporter {
	if p.format(options) == "terminal" {
		return report.NewTerminal(p.stderr, level)
	}
	return report.NewLines(p.stderr, level)
}

// format resolves --log-format=auto.
func (p *program) format(options *job.RunOptions) string {
	switch {
	case options.Log.Format != "auto":
		return options.Log.Format
	case isTerminal(p.stderr):
		return "terminal"
	default:
		return "json"
	}
}
