package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

func (p *program) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Work with the stored keys",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.keysListCommand(), p.keysRotateCommand(), p.keysTestCommand(), p.keysRecoverCommand(), p.keysRetireCommand(), p.keysResealCommand(), p.keysExportCommand(), p.keysImportCommand())
	return cmd
}

func (p *program) keysRecoverCommand() *cobra.Command {
	options := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Store keys from a spooled init response",
		Long: "recover stores what a run has spooled between Vault's answer and the store: a .spool\n" +
			"file, or the termination message of the pod that ran. It is encrypted; the key that\n" +
			"opens it is in the keys record.",
		Example: "  kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].state.terminated.message}' |\n" +
			"    vault-bootstrap keys recover --from=-",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.recoverKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerSpool(cmd.Flags(), &options.spool)
	registerCustody(cmd.Flags(), &options.custody)
	cmd.Flags().StringVar(&options.from, "from", "", "file that holds the spooled answer, or - for standard input")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

type recoverOptions struct {
	store   job.StoreOptions
	spool   job.SpoolOptions
	custody job.CustodyOptions
	from    string
	timeout time.Duration
}

func (p *program) recoverKeys(ctx context.Context, options *recoverOptions) error {
	if err := options.store.NeedsKeys("keys recover"); err != nil {
		return err
	}
	text, err := p.input().Read("--from", options.from)
	if err != nil {
		return err
	}
	records, _, err := options.store.Open(p.env)
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
	// No server is asked: everything needed is on record and in the answer.
	locations := options.spool.Locations(p.env, records, &options.store)
	var split, recovery ceremony.KeySplit
	if err := options.custody.Assign(&split, &recovery, time.Now()); err != nil {
		return err
	}
	if err := states.NewDelivery(&states.Setting{Log: log, Now: time.Now}, session, locations, split, recovery).Recover(session.Context(), text); err != nil {
		return walk.OrLost(session.Context(), err)
	}
	_, err = fmt.Fprintf(p.stdout, "The keys are stored in %s. Continue with 'vault-bootstrap run'.\n", records.Location().Keys)
	return err
}

func (p *program) keysResealCommand() *cobra.Command {
	options := &resealOptions{}
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Encrypt the keys record to other recipients",
		Long: "reseal makes a new data key, has every recipient of --to wrap it, or of --keys-to without\n" +
			"that flag, unwraps it again, and encrypts the record with it in one write. Whoever is no\n" +
			"longer a recipient opens nothing that is written later; what they could read before they\n" +
			"may have read, so exchange the keys as well: keys rotate. The record as it is must open\n" +
			"with --keys-to or --to. A copy from an earlier time that was put back is refused unless\n" +
			"--accept-older says that it is the one to go on with.",
		Example: "  vault-bootstrap keys reseal --keys-to=age:age1… --keys-identity=old.txt --to=awskms:ARN --to=age:age1…",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.resealKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	cmd.Flags().StringSliceVar(&options.to, "to", nil, "future recipients, as --keys-to takes them; may be repeated (default: those of --keys-to)")
	registerConfirmation(cmd.Flags(), &options.confirmed)
	cmd.Flags().BoolVar(&options.older, "accept-older", false, "go on with a keys record that is older than one that was seen before, such as a restored backup")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

type resealOptions struct {
	store   job.StoreOptions
	to      []string
	older   bool
	timeout time.Duration

	confirmed input.Confirmation
}

func (p *program) resealKeys(ctx context.Context, options *resealOptions) error {
	if err := options.store.NeedsKeys("keys reseal"); err != nil {
		return err
	}
	future := options.store.Encrypt
	if len(options.to) > 0 {
		future.To = options.to
	}
	ring, err := future.Ring(p.env)
	if err == nil && len(ring.Recipients) == 0 {
		err = fault.Misuse(errors.New("no recipients are named"), "Name them with --to, or with --keys-to.")
	}
	if err != nil {
		return err
	}
	if err := p.input().Confirm(ctx, options.confirmed, "Only the new recipients open the keys record afterwards: "+strings.Join(future.To, ", ")+"."); err != nil {
		return err
	}
	options.store.Encrypt.To = job.Union(options.store.Encrypt.To, future.To)
	open := func() (store.Store, error) {
		records, _, err := options.store.Open(p.env)
		return records, err
	}
	records, err := open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	begin := fencing.Begin
	if options.older {
		begin = fencing.BeginWithOlder
	}
	session, _, err := p.beginWith(ctx, 0, records, begin)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	sealing, err := job.Reseal(session.Context(), records, session, ring, open)
	if err != nil {
		return walk.OrLost(session.Context(), err)
	}
	names := make([]string, len(sealing.Wraps))
	for i, wrap := range sealing.Wraps {
		names[i] = wrap.Recipient
	}
	_, err = fmt.Fprintf(p.stdout, "%s is encrypted to %s. Who could read it before may have copied the keys: 'vault-bootstrap keys rotate' exchanges them.\n", records.Location().Keys, strings.Join(names, ", "))
	return err
}

type exportOptions struct {
	store   job.StoreOptions
	to      []string
	file    string
	timeout time.Duration
}

func (p *program) keysExportCommand() *cobra.Command {
	options := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the keys record to a file for a safe, encrypted with age",
		Long: "export writes everything that the keys record holds to a file that the age program opens\n" +
			"with an identity of one of the recipients. Inside it is the record in clear.",
		Example: "  vault-bootstrap keys export --to=age:age1… --out=keys.age",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.exportKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	cmd.Flags().StringSliceVar(&options.to, "to", nil, "who can open the file, as age:RECIPIENT; may be repeated")
	cmd.Flags().StringVar(&options.file, "out", "", "file to write, which must not exist, or - for standard output")
	cmd.Flags().DurationVar(&options.timeout, "timeout", 20*time.Second, "how long to wait for an answer")
	return cmd
}

func (p *program) exportKeys(ctx context.Context, options *exportOptions) error {
	if err := options.store.NeedsKeys("keys export"); err != nil {
		return err
	}
	if options.file == "" {
		return fault.Misuse(errors.New("--out is missing"), "Name a file, or - for standard output.")
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	content, err := job.Export(ctx, records, options.to)
	if err != nil {
		return err
	}
	if options.file == "-" {
		_, err = p.stdout.Write(content)
		return err
	}
	file, err := os.OpenFile(options.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.Misuse(fmt.Errorf("--out: %w", err), "Name a file that does not exist, in a directory that may be written.")
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s holds the keys record. Try to open it where its recipients are: age --decrypt --identity=FILE %s\n", options.file, options.file)
	return err
}

func (p *program) keysImportCommand() *cobra.Command {
	options := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Store an exported keys record where no keys are",
		Long: "import opens a file that keys export has written, with an identity of --keys-identity, and\n" +
			"stores what it holds. A record that holds keys already is not replaced. With --keys-to the\n" +
			"record is encrypted.",
		Example: "  vault-bootstrap keys import --from=keys.age --keys-identity=identity.txt --keys-to=awskms:ARN",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.importKeys(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	cmd.Flags().StringVar(&options.from, "from", "", "file that was exported, or - for standard input")
	cmd.Flags().DurationVar(&options.timeout, "timeout", time.Minute, "how long to wait and retry in all")
	return cmd
}

func (p *program) importKeys(ctx context.Context, options *recoverOptions) error {
	if err := options.store.NeedsKeys("keys import"); err != nil {
		return err
	}
	file, err := p.input().Read("--from", options.from)
	if err != nil {
		return err
	}
	identities := options.store.Encrypt.Identities
	if len(options.store.Encrypt.To) == 0 { // they open the file only
		options.store.Encrypt.Identities = nil
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	session, _, err := p.beginPlain(ctx, records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	if err := job.Import(session.Context(), session, file, identities); err != nil {
		return walk.OrLost(session.Context(), err)
	}
	_, err = fmt.Fprintf(p.stdout, "The keys are stored in %s. Continue with 'vault-bootstrap run'.\n", records.Location().Keys)
	return err
}
