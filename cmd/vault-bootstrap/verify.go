package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	hardenreport "github.com/vault-bootstrap/vault-bootstrap/internal/harden/report"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// errFound means that controls were read and do not hold.
var errFound = errors.New("controls do not hold")

type verifyOptions struct {
	job                           job.VerifyOptions
	output, file, failOn          string
	deep, list, revokeForeignRoot bool
	timeout                       time.Duration
	confirmed                     input.Confirmation
}

func (p *program) verifyCommand() *cobra.Command {
	options := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Show how well Vault is locked down",
		Long: "verify logs in by the role that only reads or, without one, as later runs do, reads what\n" +
			"the controls need and shows their results. What it may not read is unknown, and unknown\n" +
			"does not hold; it says how to allow it. It exits with 3 when a required control does not\n" +
			"hold. The section 'harden' of the seed chooses controls, exceptions and limits. It\n" +
			"changes nothing, except with --revoke-foreign-root.",
		Example: "  vault-bootstrap verify --seed seed.yaml -o html --output-file report.html",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.list {
				return report.WriteControls(p.stdout)
			}
			return p.verify(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

func (o *verifyOptions) register(flags *pflag.FlagSet) {
	registerStore(flags, &o.job.Store)
	registerVault(flags, &o.job.Vault)
	registerLogin(flags, &o.job.Login)
	flags.StringSliceVar(&o.job.Seed, "seed", nil, "seed file or directory with a section 'harden'; may be repeated")
	flags.StringVar(&o.job.Profile, "profile", "", "baseline, production or strict (default: the seed's, otherwise production)")
	flags.BoolVar(&o.deep, "deep", false, "check every token, too: the more there are, the longer it takes")
	flags.BoolVar(&o.revokeForeignRoot, "revoke-foreign-root", false, "with --deep, and under the lease: revoke every root token that is not ours, then verify")
	registerConfirmation(flags, &o.confirmed)
	flags.StringVarP(&o.output, "output", "o", "table", strings.Join(hardenreport.Formats(), ", "))
	flags.StringVar(&o.file, "output-file", "", "write the report there instead of to standard output")
	flags.StringVar(&o.failOn, "fail-on", "", "also exit with 3 for advice of this severity or worse: low, medium, high or critical")
	flags.StringVar(&o.job.PodLabels, "vault-pod-labels", job.DefaultPodLabels, "labels of Vault's pods, on Kubernetes")
	flags.BoolVar(&o.list, "list", false, "list all controls, without reading a Vault")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long it may take")
	flags.IntVar(&o.job.Parallelism, "parallelism", 32, "calls to Vault in flight")
}

// check refuses what cannot work. It returns the least severity of --fail-on, 0 if none
// is given.
func (o *verifyOptions) check() (harden.Severity, error) {
	severity, ok := harden.ParseSeverity(o.failOn)
	_, known := harden.ParseProfile(o.job.Profile)
	switch {
	case !slices.Contains(hardenreport.Formats(), o.output):
		return 0, fault.Misuse(fmt.Errorf("--output=%q is none of %s", o.output, strings.Join(hardenreport.Formats(), ", ")), "Write one of them.")
	case o.failOn != "" && !ok:
		return 0, fault.Misuse(fmt.Errorf("--fail-on=%q is not a severity", o.failOn), "It is low, medium, high or critical.")
	case o.revokeForeignRoot && !o.deep:
		return 0, fault.Misuse(errors.New("--revoke-foreign-root is given without --deep"), "Root tokens are found by checking every token: give both flags.")
	case o.revokeForeignRoot && o.job.Store.Keyless():
		return 0, fault.Misuse(errors.New("--revoke-foreign-root and --keys=none exclude each other: every root token is somebody else's, and our login may revoke none"), "Omit --revoke-foreign-root: --deep shows them.")
	case o.job.Profile != "" && !known:
		return 0, fault.Misuse(fmt.Errorf("--profile=%q is not a profile", o.job.Profile), "It is baseline, production or strict.")
	case o.job.Parallelism < 1 || o.timeout <= 0:
		return 0, fault.Misuse(errors.New("--parallelism and --timeout must be positive"), "Omit them for their defaults.")
	}
	return severity, nil
}

func (p *program) verify(ctx context.Context, options *verifyOptions) error {
	least, err := options.check()
	if err != nil {
		return err
	}
	if options.revokeForeignRoot {
		if err := p.input().Confirm(ctx, options.confirmed, "Every root token that is not ours is revoked, whoever works with it."); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	look, err := options.job.Verifier(ctx, p.env, p.warnings())
	if err != nil {
		return err
	}
	if options.revokeForeignRoot {
		if err := p.revokeForeignRoot(ctx, options); err != nil {
			return err
		}
	}
	verified, err := states.NewObserver(look.Sources).Verify(ctx, look.Keys(ctx), options.deep)
	if err != nil {
		return err
	}
	shown := hardenreport.Report{
		Tool: version, At: verified.Facts.Now, Address: verified.Address, Cluster: verified.ClusterID, Product: verified.Facts.Product,
		Profile: look.Rules.Profile, Deep: options.deep, Results: verified.Results, ByHand: harden.ByHand(verified.Facts.Product),
	}
	if err := p.show(shown, options); err != nil {
		return err
	}
	return verdict(shown, least)
}

// show writes the report to where the options say.
func (p *program) show(shown hardenreport.Report, options *verifyOptions) error {
	if options.file == "" {
		if options.output == "table" {
			return shown.Write(p.painted(report.VerifyColours(), false), options.output)
		}
		return shown.Write(p.stdout, options.output)
	}
	text := &strings.Builder{}
	if err := shown.Write(text, options.output); err != nil {
		return err
	}
	if err := os.WriteFile(options.file, []byte(text.String()), 0o600); err != nil {
		return fault.Misuse(fmt.Errorf("writing the report: %w", err), "Name a file in a directory that exists, with --output-file.")
	}
	_, err := io.WriteString(p.stdout, shown.Verdict()+"\n")
	return err
}

// verdict returns the error for a Vault that does not pass. With a severity of 0, advice does not
// count.
func verdict(shown hardenreport.Report, least harden.Severity) error {
	worse := slices.ContainsFunc(harden.Failed(shown.Results, false), func(r harden.Result) bool { return least > 0 && r.Severity >= least })
	switch required := len(harden.Failed(shown.Results, true)); {
	case required > 0:
		return fmt.Errorf("%d required %w", required, errFound)
	case worse:
		return fmt.Errorf("some of the severity %s or worse: %w", least, errFound)
	default:
		return nil
	}
}

// revokeForeignRoot revokes the root tokens that are not ours. It holds the lease, so that no
// break-glass is running whose token could be among them.
func (p *program) revokeForeignRoot(ctx context.Context, options *verifyOptions) error {
	look, err := options.job.Verifier(ctx, p.env, p.warnings())
	if err != nil {
		return err
	}
	session, log, err := p.beginHeld(ctx, options.timeout, look.Records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	look.Servers.Cluster.Guard(session.Alive)
	look.Sources.Access.Log = log
	administrator := look.Servers.Administrator(session, job.Identity(p.env), log)
	administrator.Cluster = look.Sources.Cluster // its clocks help to explain a refusal of our login
	dead, err := ceremony.NewBreakGlass(administrator, options.job.Parallelism).RevokeForeign(ctx, states.OrLockedOut(look.Sources.Access))
	for _, token := range dead {
		log.Warn("a root token that is not ours is revoked", "accessor", token.Accessor, "made_at", token.Path, "created", token.Created)
	}
	return err
}
