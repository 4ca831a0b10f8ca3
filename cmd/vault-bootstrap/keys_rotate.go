package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

func (p *program) keysRotateCommand() *cobra.Command {
	options := &rotateOptions{}
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Exchange the unseal keys, or the recovery keys with auto-unseal",
		Long: "rotate has Vault create new key shares (a rekey with verification), stores them, and\n" +
			"only then gives them back to Vault, which puts them in force. At every moment the record\n" +
			"holds the shares that open the Vault; if a rotation is killed, the next run settles it.\n" +
			"The former shares are kept in the record: they open the backups of their time.\n\n" +
			"With --pgp-keys the new shares belong to operators. Vault requires them back before it\n" +
			"puts them in force: each owner decrypts their own share, from 'set' of 'rotation' in the\n" +
			"keys record, and a second call with --new-shares-file gives them back. --store-shares is\n" +
			"the way back, from operators into the record.",
		Example: "  vault-bootstrap keys rotate --key-shares=5 --key-threshold=3 --vault-addr=https://127.0.0.1:8200 --ca-cert=ca.pem",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.rotateKeys(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

type rotateOptions struct {
	ceremonyOptions
	present, fresh    input.SharesOptions
	shares, threshold int
	pgpKeys           []string
	storeShares       bool
	tokenFile         string
	confirmed         input.Confirmation
}

func (o *rotateOptions) register(flags *pflag.FlagSet) {
	o.ceremonyOptions.register(flags, "how long to wait for the lease")
	registerShares(flags, &o.present)
	registerConfirmation(flags, &o.confirmed)
	o.fresh.Flag = "--new-shares-file"
	flags.StringVar(&o.fresh.File, "new-shares-file", "", "file with the new shares that operators have decrypted, one on each line, or - for standard input")
	flags.IntVar(&o.shares, "key-shares", 0, "number of new shares (default: as many as now)")
	flags.IntVar(&o.threshold, "key-threshold", 0, "number of new shares needed (default: as many as now)")
	flags.StringSliceVar(&o.pgpKeys, "pgp-keys", nil, "PGP public keys of the operators who will hold the new shares, a file for each")
	flags.BoolVar(&o.storeShares, "store-shares", false, "keep the new shares in the keys record if operators hold the present ones")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with a token for the endpoints that exchange key shares, or - for standard input (default: our own login, where the server wants a token)")
}

func (p *program) rotateKeys(ctx context.Context, options *rotateOptions) error {
	if err := options.store.NeedsKeys("keys rotate"); err != nil {
		return err
	}
	if err := p.input().Confirm(ctx, options.confirmed, "The present key shares of this Vault go out of force, and with them every copy of them."); err != nil {
		return err
	}
	token, err := p.input().Token(options.tokenFile)
	if err != nil {
		return err
	}
	held, err := p.holdKeys(ctx, &options.ceremonyOptions)
	if err != nil {
		return err
	}
	defer func() { _ = held.session.Close() }()
	if err := job.RefuseInDanger(ctx, held.records); err != nil {
		return fmt.Errorf("checking that new keys can be stored: %w", err)
	}
	keys, err := held.session.Keys(ctx)
	if err != nil {
		return err
	}
	if err := ceremony.RefuseWithoutShares(keys); err != nil { // 'adopt --new-keys' makes some
		return err
	}
	exchange := ceremony.Exchange{Token: token, Ask: p.input().AskShares(&options.present), AskNew: p.input().AskShares(&options.fresh)}
	// A rotation on record may only wait for its new shares, and is not split again.
	left := keys.Rotation
	continues := left != nil && left.Set != nil && len(left.Set.Custody) > 0 && len(options.pgpKeys) == 0 && !options.storeShares
	if !continues {
		if exchange.Into, err = options.split(keys.Set); err != nil {
			return err
		}
	}
	set, err := held.Rotate(ctx, exchange)
	if err != nil {
		return err
	}
	if _, err := ceremony.RenewCredential(ctx, held.Administrator, login.NewCeremony(options.store.Name)); err != nil {
		held.log.Warn("the credential for ceremonies was not exchanged, the former one stays", "error", err.Error())
	}
	if err := job.RenewDataKey(ctx, held.records, held.session); err != nil {
		held.log.Warn("the keys record keeps its data key", "error", err.Error(), "remedy", "'vault-bootstrap keys reseal' makes a new one.")
	}
	_, err = fmt.Fprintf(p.stdout, "New %s keys are in force, %d of %d are needed. They are stored in %s; take a new copy to a safe place.\n",
		set.Kind, set.Threshold, max(len(set.Shares), len(set.Custody)), held.records.Location().Keys)
	return err
}

// split returns how to split the new key: as now, unless the flags say otherwise.
func (o *rotateOptions) split(present *store.KeySet) (ceremony.KeySplit, error) {
	split := ceremony.KeySplit{Shares: o.shares, Threshold: o.threshold}
	if o.storeShares && len(o.pgpKeys) > 0 {
		return split, fault.Misuse(errors.New("--store-shares excludes --pgp-keys"), "Choose who will hold the new shares: the keys record, or operators.")
	}
	if present == nil {
		return split, fault.Misuse(errors.New("no keys are stored"), "Check --store, --name and --namespace.")
	}
	if split.Shares == 0 {
		split.Shares = max(len(present.Shares), len(present.Custody))
		if len(o.pgpKeys) > 0 {
			split.Shares = len(o.pgpKeys)
		}
	}
	if split.Threshold == 0 {
		split.Threshold = present.Threshold
	}
	if err := job.CheckSplit("key", split.Shares, split.Threshold); err != nil {
		return split, err
	}
	var owners []pgp.Public
	var err error
	if len(o.pgpKeys) > 0 {
		owners, err = job.Custodians("pgp-keys", o.pgpKeys, split.Shares, time.Now())
	} else if len(present.Custody) > 0 && !o.storeShares {
		err = fault.Misuse(errors.New("operators hold the present shares, and no --pgp-keys are given for the new ones"), "Give the public keys of their future owners, or --store-shares to keep the new shares in the keys record.")
	}
	split.Custodians = owners
	return split, err
}
