package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) adoptCommand() *cobra.Command {
	options := &adoptOptions{}
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a Vault that somebody else has initialized",
		Long: "adopt reads the keys of an initialized Vault from where they are kept, has Vault itself\n" +
			"prove them, stores them with our records, and continues as run does. Nothing is stored\n" +
			"that is not proven. The shares are proven by unsealing a sealed replica or, if there is\n" +
			"none, by a rekey that is cancelled before it changes anything; the token is proven by\n" +
			"looking it up.\n\n" +
			"With --new-keys a server that unseals itself and has no recovery keys, as an OpenBao that\n" +
			"initialized itself, makes some: they are stored before they count.\n\n" +
			"The given root token is revoked when the cluster is hardened, since no root token may\n" +
			"remain: --revoke-token confirms that you know this.",
		Example: "  vault operator init -format=json > init.json    # what somebody did\n" +
			"  vault-bootstrap adopt --vault-addr=https://127.0.0.1:8200 --ca-cert=ca.pem --keys-file=init.json --revoke-token\n" +
			"  vault-bootstrap adopt --namespace=vault --vault-service=vault-internal --replicas=3 --keys-from-secret=vault-unseal-keys --revoke-token",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.adopt(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

// adoptOptions are the flags of 'adopt': those of 'run' that are not about initializing, and those
// that name the keys.
type adoptOptions struct {
	run         job.RunOptions
	fromSecret  string
	files       []string
	dir         string
	decrypt     job.DecryptOptions
	tokenFile   string
	revokeToken bool
	// newKeys has the server make its keys.
	newKeys bool
	shares  input.SharesOptions
	fresh   input.SharesOptions
}

func (o *adoptOptions) register(flags *pflag.FlagSet) {
	registerWalk(flags, &o.run)
	// Nothing is initialized here: the flags for that keep their defaults.
	registerInit(pflag.NewFlagSet("", pflag.ContinueOnError), &o.run)
	flags.StringVar(&o.fromSecret, "keys-from-secret", "", "Secret in the namespace of the records with the keys: a keys record of ours, or bank-vaults' layout (vault-unseal-0, vault-recovery-0, vault-root)")
	flags.StringVar(&o.dir, "keys-dir", "", "directory with the keys in bank-vaults' layout, a file for each, with any prefix: what its file store holds, or a copy of its bucket")
	flags.StringVar(&o.decrypt.By, "keys-decrypt-by", "", "KMS key that has encrypted what --keys-dir or --keys-from-secret holds: awskms:ARN or gcpkms:NAME")
	flags.StringArrayVar(&o.decrypt.Context, "keys-decrypt-context", []string{"Tool=bank-vaults"}, "with --keys-decrypt-by=awskms:ARN: encryption context, as NAME=VALUE; may be repeated; empty for none")
	flags.StringArrayVar(&o.files, "keys-file", nil, "file with the keys, or - for standard input; may be repeated: a share on each line in base64 or hex, or the JSON of 'vault operator init -format=json', or a keys record of ours")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with a root token for the first login, or - for standard input; it takes precedence over one in the Secret or the JSON, and may be omitted if our own login works already")
	flags.BoolVar(&o.newKeys, "new-keys", false, "have a server that unseals itself and has no recovery keys, as an OpenBao that initialized itself, make some; needs --token-file with a token that may do everything")
	flags.IntVar(&o.run.Split.RecoveryShares, "recovery-shares", 5, "with --new-keys: number of recovery keys")
	flags.IntVar(&o.run.Split.RecoveryThreshold, "recovery-threshold", 3, "with --new-keys: number of recovery keys needed")
	flags.StringSliceVar(&o.run.Custody.RecoveryKeys, "recovery-pgp-keys", nil, "with --new-keys: PGP public keys of the operators who hold them, a file for each share")
	o.fresh.Flag = "--new-shares-file"
	flags.StringVar(&o.fresh.File, "new-shares-file", "", "with --new-keys and --recovery-pgp-keys: file with the shares that operators have decrypted, one on each line, or - for standard input")
	flags.BoolVar(&o.revokeToken, "revoke-token", false, "agree that the root token is revoked when the cluster is hardened; needed with a root token")
}

func (p *program) adopt(ctx context.Context, options *adoptOptions) error {
	w, err := p.prepareAdoption(ctx, options)
	if err != nil {
		return p.refuse(&options.run, err)
	}
	return p.perform(ctx, w)
}

func (p *program) prepareAdoption(ctx context.Context, options *adoptOptions) (*walk.Walk, error) {
	if err := options.run.Store.NeedsKeys("adopt"); err != nil {
		return nil, err
	}
	if err := options.check(); err != nil {
		return nil, err
	}
	prepared, err := job.Prepare(ctx, p.env, "adopt", &options.run)
	if err != nil {
		return nil, err
	}
	if options.newKeys {
		return p.prepareNewKeys(options, prepared)
	}
	offer, err := p.offered(ctx, options, prepared.Store)
	if err != nil {
		return nil, err
	}
	if !offer.Root.Empty() && !options.revokeToken {
		return nil, fault.Misuse(errors.New("the given root token would be revoked when the cluster is hardened"),
			"If that is right, add --revoke-token. If something else still uses it (bank-vaults does), give another one with --token-file: "+
				"'vault token create -orphan -policy=root' creates one.")
	}
	w := walk.New(prepared)
	w.Offer = &offer
	return w, nil
}

func (o *adoptOptions) check() error {
	inputs := o.files
	if o.tokenFile != "" {
		inputs = append([]string{o.tokenFile}, inputs...)
	}
	sources := 0
	for _, given := range []bool{o.fromSecret != "", len(o.files) > 0, o.dir != ""} {
		if given {
			sources++
		}
	}
	standard := 0
	for _, input := range inputs {
		if input == "-" {
			standard++
		}
	}
	switch {
	case o.newKeys && sources > 0:
		return fault.Misuse(errors.New("--new-keys excludes --keys-from-secret, --keys-file and --keys-dir"), "A server that has keys is adopted with these; one that has none makes them.")
	case o.newKeys && o.tokenFile == "":
		return fault.Misuse(errors.New("--new-keys needs --token-file"), "The server asks for a token that may do everything: one of an administrator. It is stored nowhere, and not revoked.")
	case o.newKeys && o.revokeToken:
		return fault.Misuse(errors.New("--new-keys excludes --revoke-token"), "The token is an administrator's, and stays as it is. Revoke it yourself: 'vault token revoke'.")
	case o.newKeys && o.run.Split.RecoveryShares == 0:
		return fault.Misuse(errors.New("--new-keys needs at least one recovery key"), "Without keys, configure it: 'vault-bootstrap run --keys=none'.")
	case o.newKeys:
		return nil
	case sources == 0:
		return fault.Misuse(errors.New("no keys are given"), "Say where they are: --keys-from-secret, --keys-file or --keys-dir.")
	case sources > 1:
		return fault.Misuse(errors.New("--keys-from-secret, --keys-file and --keys-dir exclude each other"), "Give one of them.")
	case o.decrypt.By != "" && len(o.files) > 0:
		return fault.Misuse(errors.New("--keys-decrypt-by is for --keys-from-secret and --keys-dir"), "Put the files into a directory, named vault-unseal-0, vault-unseal-1 and so on.")
	case standard > 1:
		return fault.Misuse(errors.New("standard input is named more than once"), "Give one of them as a file.")
	}
	return nil
}

// prepareNewKeys has the server make its keys, and then root of them, once, to set up our login.
func (p *program) prepareNewKeys(options *adoptOptions, prepared *job.Job) (*walk.Walk, error) {
	token, err := p.input().Token(options.tokenFile)
	if err != nil {
		return nil, err
	}
	var none ceremony.KeySplit
	split := ceremony.KeySplit{Shares: options.run.Split.RecoveryShares, Threshold: options.run.Split.RecoveryThreshold}
	if err := options.run.Custody.Assign(&none, &split, time.Now()); err != nil {
		return nil, err
	}
	options.shares.File, options.shares.Flag = options.fresh.File, options.fresh.Flag
	w := walk.New(prepared)
	w.NewKeys = &ceremony.Exchange{Into: split, Token: token, AskNew: p.input().AskShares(&options.fresh)}
	w.Emergency = &ceremony.Emergency{Reason: "adopting a server that had no keys", Token: token, Ask: p.input().AskShares(&options.shares)}
	return w, nil
}

// offered reads the keys and the token from where the options say.
func (p *program) offered(ctx context.Context, options *adoptOptions, records store.Store) (shares.Material, error) {
	var offer shares.Material
	if options.tokenFile != "" {
		text, err := p.input().Read("--token-file", options.tokenFile)
		if err != nil {
			return offer, err
		}
		if offer.Root = secret.New(strings.TrimSpace(string(text))); offer.Root.Empty() {
			return offer, fault.Misuse(errors.New("the file that --token-file names is empty"), "It must hold a root token. Omit the flag if our own login works already.")
		}
	}
	if options.fromSecret != "" || options.dir != "" {
		found, err := p.fromEntries(ctx, options, records)
		return offer.Join(found), err
	}
	for _, file := range options.files {
		text, err := p.input().Read("--keys-file", file)
		if err != nil {
			return offer, err
		}
		found, err := shares.Read(text)
		if err != nil {
			return offer, fault.Misuse(fmt.Errorf("reading the keys in %q: %w", file, err),
				"Give a share on each line, in base64 or in hex, or the JSON that 'vault operator init -format=json' prints.")
		}
		offer = offer.Join(found)
	}
	return offer, nil
}

// secretReader is a store that can also read Secrets that are not ours.
type secretReader interface {
	ForeignSecret(ctx context.Context, name string) (map[string][]byte, error)
}

// fromEntries reads keys that are entries of a Secret or files of a directory.
func (p *program) fromEntries(ctx context.Context, options *adoptOptions, records store.Store) (shares.Material, error) {
	ctx, cancel := context.WithTimeout(ctx, options.run.Timeout)
	defer cancel()
	open, err := options.decrypt.Opener(ctx, p.env)
	if err != nil {
		return shares.Material{}, err
	}
	where := fmt.Sprintf("the directory %q", options.dir)
	var data map[string][]byte
	if options.dir != "" {
		data, err = p.input().Directory("--keys-dir", options.dir, shares.IsEntry)
	} else {
		where = fmt.Sprintf("the Secret %q", options.fromSecret)
		data, err = foreignSecret(ctx, options.fromSecret, records)
	}
	if err != nil {
		return shares.Material{}, err
	}
	found, err := shares.FromEntries(data, open)
	if err == nil {
		return found, nil
	}
	err = fmt.Errorf("reading the keys in %s: %w", where, err)
	if fault.RemedyOf(err) != "" { // a recipient's
		return found, err
	}
	return found, fault.Misuse(err, "It must be a keys record of ours, or in bank-vaults' layout; what a KMS has encrypted there needs --keys-decrypt-by. Give keys that are kept in another form with --keys-file.")
}

func foreignSecret(ctx context.Context, name string, records store.Store) (map[string][]byte, error) {
	kube, ok := records.(secretReader)
	if !ok {
		return nil, fault.Misuse(errors.New("--keys-from-secret needs the records in Kubernetes"),
			"Choose them with --store=kubernetes, or give the keys with --keys-file or --keys-dir.")
	}
	return kube.ForeignSecret(ctx, name)
}
