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

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	hardenreport "github.com/vault-bootstrap/vault-bootstrap/internal/harden/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// errFound is the error of a look that has found something.
var errFound = errors.New("controls do not hold")

type verifyOptions struct {
	store job.StoreOptions
	vault job.VaultOptions
	login job.LoginOptions

	seed                          []string
	profile, output, file, failOn string
	podLabels                     string
	deep, list, revokeForeignRoot bool
	timeout                       time.Duration
	parallelism                   int
}

func (p *program) verifyCommand() *cobra.Command {
	options := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Show how well Vault is locked down",
		Long: "verify logs in by the role that only reads, or else as later runs do, reads what the\n" +
			"controls judge and shows what they have come to. What it may not see is unknown,\n" +
			"and unknown does not hold; it says how to allow it. It exits with 3 when a required\n" +
			"control does not hold. The section 'harden' of the seed chooses controls, exceptions\n" +
			"and limits. It changes nothing, unless --revoke-foreign-root tells it to.",
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
	registerStore(flags, &o.store)
	registerVault(flags, &o.vault)
	registerLogin(flags, &o.login)
	flags.StringSliceVar(&o.seed, "seed", nil, "seed file or directory with a section 'harden'; may be repeated")
	flags.StringVar(&o.profile, "profile", "", "baseline, production or strict (default: the seed's, else production)")
	flags.BoolVar(&o.deep, "deep", false, "look at every token, too: the more there are, the longer it takes")
	flags.BoolVar(&o.revokeForeignRoot, "revoke-foreign-root", false, "with --deep, and under the lease: revoke every root token that is not ours, then look")
	flags.StringVarP(&o.output, "output", "o", "table", strings.Join(hardenreport.Formats(), ", "))
	flags.StringVar(&o.file, "output-file", "", "write the report there instead of to standard output")
	flags.StringVar(&o.failOn, "fail-on", "", "exit with 3 also for advice of this severity and worse: low, medium, high or critical")
	flags.StringVar(&o.podLabels, "vault-pod-labels", job.DefaultPodLabels, "labels of Vault's pods, on Kubernetes")
	flags.BoolVar(&o.list, "list", false, "list all controls, without looking at a Vault")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to look")
	flags.IntVar(&o.parallelism, "parallelism", 16, "calls to Vault in flight")
}

// check refuses what cannot work. It returns the least severity of --fail-on, 0 if none
// is given.
func (o *verifyOptions) check() (harden.Severity, error) {
	severity, ok := harden.ParseSeverity(o.failOn)
	_, known := harden.ParseProfile(o.profile)
	switch {
	case !slices.Contains(hardenreport.Formats(), o.output):
		return 0, fault.Misuse(fmt.Errorf("--output=%q is none of %s", o.output, strings.Join(hardenreport.Formats(), ", ")), "Write one of them.")
	case o.failOn != "" && !ok:
		return 0, fault.Misuse(fmt.Errorf("--fail-on=%q is no severity", o.failOn), "It is low, medium, high or critical.")
	case o.revokeForeignRoot && !o.deep:
		return 0, fault.Misuse(errors.New("--revoke-foreign-root is given without --deep"), "Root tokens are found by looking at every token: write both.")
	case o.profile != "" && !known:
		return 0, fault.Misuse(fmt.Errorf("--profile=%q is no profile", o.profile), "It is baseline, production or strict.")
	case o.parallelism < 1 || o.timeout <= 0:
		return 0, fault.Misuse(errors.New("--parallelism and --timeout must be above 0"), "Leave them away for their defaults.")
	}
	return severity, nil
}

// declared returns the seed; an empty one if none is named.
func (o *verifyOptions) declared() (*seed.Seed, error) {
	if len(o.seed) == 0 {
		return &seed.Seed{}, nil
	}
	return job.LoadSeed(o.seed)
}

// rules returns the rules of the seed, with the profile that a flag says.
func (o *verifyOptions) rules(declared *seed.Seed) (harden.Rules, error) {
	rules := harden.DefaultRules(harden.Production)
	if declared.Harden().Declared() {
		var err error
		if rules, err = states.RulesOf(declared.Harden()); err != nil {
			return rules, err
		}
	}
	if profile, given := harden.ParseProfile(o.profile); given {
		rules.Profile = profile
	}
	return rules, nil
}

func (p *program) verify(ctx context.Context, options *verifyOptions) error {
	least, err := options.check()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	look, err := p.verifier(ctx, options)
	if err != nil {
		return err
	}
	if options.revokeForeignRoot {
		if err := p.revokeForeignRoot(ctx, options); err != nil {
			return err
		}
	}
	verified, err := states.NewObserver(look.sources).Verify(ctx, keysOf(ctx, look.records), options.deep)
	if err != nil {
		return err
	}
	shown := hardenreport.Report{
		Tool: version, At: verified.Facts.Now, Address: verified.Address, Cluster: verified.ClusterID, Version: versionOf(verified),
		Profile: look.rules.Profile, Deep: options.deep, Results: verified.Results, ByHand: harden.ByHand(),
	}
	if err := p.show(shown, options); err != nil {
		return err
	}
	return verdict(shown, least)
}

// keysOf reads the keys record, which not every login needs.
func keysOf(ctx context.Context, records store.Store) harden.Fact[store.Keys] {
	record, _, err := records.Keys(ctx)
	if err != nil {
		return harden.NotKnown[store.Keys]("reading the keys record: " + err.Error())
	}
	return harden.Known(record)
}

// verifier can look at Vault.
type verifier struct {
	sources states.Sources
	rules   harden.Rules
	records store.Store
	servers *job.Servers
}

func (p *program) verifier(ctx context.Context, options *verifyOptions) (*verifier, error) {
	declared, err := options.declared()
	if err != nil {
		return nil, err
	}
	rules, err := options.rules(declared)
	if err != nil {
		return nil, err
	}
	records, kind, err := options.store.Open(p.env)
	if err != nil {
		return nil, err
	}
	servers, err := options.vault.Open(p.env, job.Pods(records))
	if err != nil {
		return nil, err
	}
	methods, err := declared.Login(ctx, job.Resolver(p.env, records, job.Credentials{Store: &options.store, Vault: &options.vault, Login: &options.login, Declared: declared.LoginPaths()}))
	if err != nil {
		return nil, err
	}
	chain, err := options.login.Resolve(p.env, kind, options.store.Name, options.vault.Certificate(p.env), methods)
	if err != nil {
		return nil, err
	}
	setting := &states.Setting{Name: options.store.Name, Parallelism: options.parallelism, Now: time.Now, Log: p.warnings()}
	desired, err := states.NewDesired(setting.Name, chain, states.Declaration{Rules: rules})
	if err != nil {
		return nil, err
	}
	sources := servers.Sources(setting, chain, records, desired)
	sources.Around, sources.Access.ReadsOnly = job.LookAround(records, options.store.Name, options.podLabels), true
	return &verifier{sources, rules, records, servers}, nil
}

func versionOf(verified states.Verified) string {
	replicas, _ := verified.Facts.Replicas.Get()
	for _, replica := range replicas {
		if replica.Address == verified.Address {
			return replica.Version
		}
	}
	return ""
}

// show writes the report to where the options say.
func (p *program) show(shown hardenreport.Report, options *verifyOptions) error {
	if options.file == "" {
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

// verdict is the error of a Vault that does not pass. A severity of 0 has advice not
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
