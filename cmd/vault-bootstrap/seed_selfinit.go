package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/selfinit"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

type selfInitOptions struct {
	store      job.StoreOptions // its name, and that there are no keys
	login      job.LoginOptions
	clientCert string
}

func (p *program) seedSelfInitCommand() *cobra.Command {
	options := &selfInitOptions{}
	cmd := &cobra.Command{
		Use:   "self-init FILE|DIRECTORY...",
		Short: "Print the stanza by which an OpenBao makes our login when it initializes itself",
		Long: "self-init prints a stanza 'initialize' for the configuration of an OpenBao (2.4 and later,\n" +
			"with auto-unseal). At its first start the server makes our policies, our auth method with\n" +
			"what the seed says of its configuration, and our role. Then 'run --keys=none' with the same\n" +
			"seed does all the rest, and nobody has ever had a root token.\n\n" +
			"For kubernetes and jwt, --login-principal says who may log in: NAMESPACE/SERVICEACCOUNT or\n" +
			"the subject. Without it, the token in --login-token-file does.",
		Example: "  vault-bootstrap seed self-init --login=kubernetes --login-principal=vault/vault-bootstrap seed.yaml",
		RunE: func(cmd *cobra.Command, paths []string) error {
			return p.selfInit(cmd.Context(), options, paths)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

func (o *selfInitOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.store.Name, "name", "vault-bootstrap", "name of the policy and of the role that later runs log in with")
	registerLogin(flags, &o.login)
	registerPolicy(flags, &o.store)
	flags.Lookup("login-principal").Usage = "who may log in: NAMESPACE/SERVICEACCOUNT (kubernetes), the subject (jwt), the ARN of the IAM role or user (aws), the service account's e-mail address (gcp), the service principal's ID (azure)"
	flags.StringVar(&o.clientCert, "client-cert", "", "PEM file with the client certificate that later runs present, for --login=cert")
	o.store.Keys, o.login.ByPrincipal = job.NoKeys, true
}

func (p *program) selfInit(ctx context.Context, options *selfInitOptions, paths []string) error {
	if len(paths) == 0 {
		return errNoSeed("self-init")
	}
	loaded, err := seed.Load(paths)
	if err != nil {
		return err
	}
	declared, err := loaded.Login(ctx, seed.Resolver{Env: p.env})
	if err != nil {
		return err
	}
	chain, err := options.store.Login(p.env, &options.login, options.clientCert, declared)
	if err != nil {
		return err
	}
	rules, err := states.RulesOf(loaded)
	if err != nil {
		return err
	}
	grows, err := options.store.Grows()
	if err != nil {
		return err
	}
	desired, err := states.NewDesired(options.store.Name, chain, states.Declaration{Objects: loaded.Declared(), Grows: grows, Prune: loaded.Prune(), Rules: rules, Keyless: true})
	if err != nil {
		return err
	}
	objects := desired.OfLogin()
	if len(chain.Objects(options.store.Name)) == 0 {
		return fault.Misuse(fmt.Errorf("--login=%s: whoever issues its credential decides how, and there is nothing that OpenBao could make", chain.Name()), "Choose a login with a role in Vault: kubernetes, jwt, cert, aws, azure or gcp.")
	}
	text, err := selfinit.Stanza(options.store.Name, objects)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}
