package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Export returns the whole keys record as a file of age for recipients, which holds it in version 1.
func Export(ctx context.Context, records store.Store, to []string) ([]byte, error) {
	if len(to) == 0 {
		return nil, fault.Misuse(errors.New("no recipient is named"), "Name who can open the export with --to=age:RECIPIENT.")
	}
	var forms []keyring.Form
	for _, text := range to {
		form, err := keyring.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--to: %w", err)
		}
		forms = append(forms, form)
	}
	keys, _, err := records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if len(keys.Opens()) == 0 {
		return nil, fault.Misuse(errors.New("no keys are stored"), "Check --store, --name and --namespace.")
	}
	text, err := wire.EncodeKeys(keys)
	if err != nil {
		return nil, err
	}
	return agekey.EncryptFile(secret.New(string(text)), forms, nil)
}

// Import stores an exported keys record where no keys are. It keeps the epoch of the session.
func Import(ctx context.Context, session Updater, file []byte, identities []string) error {
	known, err := agekey.ReadIdentities(identities, nil)
	if err != nil {
		return fmt.Errorf("--keys-identity: %w", err)
	}
	text, err := known.DecryptFile(file)
	if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	imported, err := wire.DecodeKeys([]byte(text.Reveal()), wire.Object{Name: "the export", Restore: "give another copy of it"})
	if err != nil {
		return err
	}
	if len(imported.Opens()) == 0 {
		return fault.Misuse(errors.New("there are no keys in the export"), "Give a file that 'keys export' has written.")
	}
	return session.UpdateKeys(ctx, func(keys *store.Keys) error {
		if held := keys.Opens(); len(held) > 0 {
			return fault.Misuse(errors.New("the keys record already holds keys"), "Nothing was changed. If these are to be replaced, take a copy of that record to a safe place and remove it first; or give the export records of its own with --name, --namespace or --store.")
		}
		epoch, sealing := keys.Epoch, keys.Sealing
		*keys = imported
		keys.Epoch, keys.Sealing = epoch, sealing
		return session.Alive()
	})
}
