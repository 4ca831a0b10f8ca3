package main

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) breakGlassCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "break-glass",
		Short: "Generate a root token from the key shares, for one run or one command",
		Long: "break-glass is the way back in when the login of later runs does not work, or has too\n" +
			"few privileges. It generates a root token from the key shares, uses it once, and revokes\n" +
			"it in every case: when it is interrupted, when the command crashes and, after a kill -9,\n" +
			"by the next run. It needs a reason, which is logged and passed to Vault.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.breakGlassRunCommand(), p.breakGlassExecCommand())
	return cmd
}

// breakGlassOptions are the flags of both kinds of break-glass.
type breakGlassOptions struct {
	reason, tokenFile string
	shares            input.SharesOptions
}

func (o *breakGlassOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.reason, "reason", "", "why root is needed: a ticket, a sentence (required)")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with a token for the endpoints that generate a root token, or - for standard input (default: our own login, where the server wants a token)")
	registerShares(flags, &o.shares)
}

// maxReason keeps the reason within one HTTP header and one line of a log.
const maxReason = 500

func (o *breakGlassOptions) check() error {
	o.reason = strings.TrimSpace(o.reason)
	switch {
	case o.reason == "":
		return fault.Misuse(errors.New("no reason is given"), "Say why root is needed: --reason='INC-1234: the auth method was deleted'.")
	case len(o.reason) > maxReason || strings.ContainsFunc(o.reason, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }):
		return fault.Misuse(errors.New("the reason is longer than 500 characters, or contains characters that are not printable ASCII"), "It is sent in an HTTP header: keep it to one plain line.")
	case o.tokenFile == "-" && o.shares.File == "-":
		return fault.Misuse(errors.New("standard input is named more than once"), "Give one of them as a file.")
	}
	return nil
}

// emergency reads what is needed to generate a root token.
func (p *program) emergency(o *breakGlassOptions) (ceremony.Emergency, error) {
	if err := o.check(); err != nil {
		return ceremony.Emergency{}, err
	}
	token, err := p.input().Token(o.tokenFile)
	return ceremony.Emergency{Reason: o.reason, Token: token, Ask: p.input().AskShares(&o.shares)}, err
}

func (p *program) breakGlassRunCommand() *cobra.Command {
	run, options := &job.RunOptions{}, &breakGlassOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run once as root, then revoke it",
		Long: "run does what 'vault-bootstrap run' does, with a root token generated from the key\n" +
			"shares: it repairs the policy, the auth method and the role of our own login, applies\n" +
			"the seed, proves the login, and revokes the token. Use it when a run ends with 'seed\n" +
			"exceeds policy' or 'locked out'.",
		Example: "  vault-bootstrap break-glass run --reason='INC-1234: the seed has grown' --seed=seed.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.breakGlassRun(cmd.Context(), run, options)
		},
	}
	registerWalk(cmd.Flags(), run)
	registerInit(pflag.NewFlagSet("", pflag.ContinueOnError), run) // nothing is initialized here
	options.register(cmd.Flags())
	return cmd
}

func (p *program) breakGlassRun(ctx context.Context, run *job.RunOptions, options *breakGlassOptions) error {
	if err := run.Store.NeedsKeys("break-glass run"); err != nil {
		return err
	}
	why, err := p.emergency(options)
	if err != nil {
		return p.refuse(run, err)
	}
	prepared, err := job.Prepare(ctx, p.env, "break-glass", run)
	if err != nil {
		return p.refuse(run, err)
	}
	w := walk.New(prepared)
	w.Emergency = &why
	ctx, stop := untilSignal(ctx)
	defer stop()
	return p.perform(ctx, w)
}
