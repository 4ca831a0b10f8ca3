package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/cloud"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/recipients"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
)

// RecipientOptions say to whom the keys record is encrypted, and what opens it.
type RecipientOptions struct {
	// To are the recipients, and Identities files with age's.
	To, Identities []string
	// some is whether To are only some of the record's recipients, on purpose.
	some bool
	// TokenFile has a token of the servers of transit recipients whose form says no login, and CA the CA
	// of their certificates, unless the form names another.
	TokenFile, CA string
}

// given reports whether there is anything.
func (o *RecipientOptions) given() bool {
	return len(o.To) > 0 || len(o.Identities) > 0 || o.TokenFile != "" || o.CA != ""
}

// Ring returns the recipients that the options name. It asks none of them.
func (o *RecipientOptions) Ring(env Lookup) (sealed.Ring, error) {
	ring := sealed.Ring{Some: o.some, NoIdentity: keyring.NoIdentity, Now: time.Now}
	if len(o.To) == 0 {
		if o.given() {
			return ring, fault.Misuse(errors.New("--keys-identity, --keys-token-file and --keys-ca are for the recipients of --keys-to, and there are none"), "Name the recipients with --keys-to, or omit the others.")
		}
		return ring, nil
	}
	means, err := o.means(env)
	if err != nil {
		return ring, err
	}
	for _, text := range o.To {
		form, err := keyring.Parse(text)
		if err != nil {
			return ring, fmt.Errorf("--keys-to: %w", err)
		}
		recipient, err := recipients.Open(form, means)
		if err != nil {
			return ring, fmt.Errorf("--keys-to: %w", err)
		}
		if slices.ContainsFunc(ring.Recipients, func(other sealed.Recipient) bool { return other.Name() == recipient.Name() }) {
			return ring, fault.Misuse(fmt.Errorf("--keys-to names %s twice", recipient.Name()), "Name each recipient once.")
		}
		ring.Recipients = append(ring.Recipients, recipient)
	}
	return ring, nil
}

// means returns what recipients need besides their forms.
func (o *RecipientOptions) means(env Lookup) (recipients.Means, error) {
	machine := cloud.Machine{Variable: func(name string) string { value, _ := env(name); return value }, Now: time.Now}
	means := recipients.Means{
		AWS: machine.AWS, GoogleToken: machine.GoogleToken,
		AzureToken: func(ctx context.Context, resource string) (secret.Value, error) {
			token, _, err := machine.AzureToken(ctx, resource)
			return token, err
		},
		Transit: func(form keyring.Form) (transit.Access, error) { return o.transit(env, form) },
	}
	if _, err := o.authorities(""); err != nil {
		return means, err
	}
	var err error
	if means.Identities, err = agekey.ReadIdentities(o.Identities, nil); err != nil {
		return means, fmt.Errorf("--keys-identity: %w", err)
	}
	return means, nil
}

// encrypter is a store that can encrypt the keys record.
type encrypter interface{ Codec() *sealed.Codec }

// Codec returns what encrypts the keys record of a store.
func Codec(records store.Store) (*sealed.Codec, error) {
	encrypts, ok := records.(encrypter)
	if !ok {
		return nil, fmt.Errorf("the store %T does not encrypt", records)
	}
	return encrypts.Codec(), nil
}

// encryptTo has a store encrypt the keys record to the recipients that the options name.
func (o *StoreOptions) encryptTo(env Lookup, records store.Store) error {
	if o.Keyless() && o.Encrypt.given() {
		return fault.Misuse(errors.New("--keys-to and --keys=none exclude each other: no keys are stored"), "Give one or the other.")
	}
	ring, err := o.Encrypt.Ring(env)
	if err != nil || len(ring.Recipients) == 0 {
		return err
	}
	codec, err := Codec(records)
	if err == nil {
		codec.Use(ring)
	}
	return err
}

// WarnOfEncryption logs the warnings of recipients, and warns if the keys were in clear until now, or are encrypted to others than those
// that the options name.
func WarnOfEncryption(log *slog.Logger, records store.Store) {
	codec, err := Codec(records)
	if err != nil {
		return
	}
	for _, warning := range codec.Warnings() {
		log.Warn(warning)
	}
	if codec.Moved() {
		log.Warn("the keys record is encrypted now; the keys were in clear before, and are so in backups and in the history of the store", "remedy", "Exchange them: 'vault-bootstrap keys rotate'.")
	}
	if present, given := codec.Recipients(); len(present) > 0 && len(given) > 0 && !slices.Equal(present, given) {
		log.Warn("the keys are encrypted to other recipients than --keys-to names", "present", strings.Join(present, ", "), "given", strings.Join(given, ", "),
			"remedy", "'vault-bootstrap keys reseal' with the same flags encrypts them to these.")
	}
}

// Reseal encrypts the keys record to the recipients of ring, with a new data key, and reads it back
// as another process would. opened opens the same records anew.
func Reseal(ctx context.Context, records store.Store, session Updater, ring sealed.Ring, opened func() (store.Store, error)) (*store.Sealing, error) {
	codec, err := Codec(records)
	if err != nil {
		return nil, err
	}
	keys, err := session.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if !keys.Secret() {
		return nil, fault.Misuse(errors.New("there is nothing in the keys record to encrypt"), "Check --store, --name and --namespace. A run with --keys-to encrypts what it stores.")
	}
	codec.Use(ring)
	renewed, err := codec.Renew(ctx, keys, session.HighWater())
	if err != nil {
		return nil, err
	}
	point.Reach("reseal.prepared")
	if err := reencrypt(ctx, session, renewed); err != nil {
		return nil, err
	}
	point.Reach("reseal.stored")
	again, err := opened()
	if err != nil {
		return nil, err
	}
	fresh, err := Codec(again)
	if err != nil {
		return nil, err
	}
	fresh.Use(ring)
	if _, _, err := again.Keys(ctx); err != nil {
		return nil, fmt.Errorf("opening the record again: %w", err)
	}
	return renewed, remember(ctx, session)
}

// remember has the checkpoint say how the keys record is encrypted now, so that no earlier copy is
// taken for it.
func remember(ctx context.Context, session Updater) error {
	if _, err := session.Keys(ctx); err != nil {
		return err
	}
	return session.UpdateCheckpoint(ctx, func(*store.Checkpoint) error { return nil })
}

// Union returns the recipients in either list, once each.
func Union(some, others []string) []string {
	all := slices.Clone(some)
	for _, other := range others {
		if !slices.Contains(all, other) {
			all = append(all, other)
		}
	}
	return all
}

// RenewDataKey encrypts the keys record with a new data key, to the recipients that it has, if it is
// encrypted: after the key shares were exchanged, no copy of an earlier data key opens the new ones.
func RenewDataKey(ctx context.Context, records store.Store, session Updater) error {
	keys, err := session.Keys(ctx)
	if err != nil || keys.Sealing == nil {
		return err
	}
	codec, err := Codec(records)
	if err != nil {
		return err
	}
	present, given := codec.Recipients()
	if !slices.Equal(present, given) {
		return errors.New("it is encrypted to other recipients than --keys-to names")
	}
	renewed, err := codec.Renew(ctx, keys, session.HighWater())
	if err != nil {
		return err
	}
	if err := reencrypt(ctx, session, renewed); err != nil {
		return err
	}
	return remember(ctx, session)
}

// reencrypt has the record be encrypted with a new data key. A session would write after the end of its
// Lease as long as nobody has taken over, as it must for keys that Vault has just returned: this can
// wait.
func reencrypt(ctx context.Context, session Updater, renewed *store.Sealing) error {
	return session.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.Sealing = renewed
		return session.Alive()
	})
}

// Updater is a session that can write the records.
type Updater interface {
	Keys(ctx context.Context) (store.Keys, error)
	UpdateKeys(ctx context.Context, change func(*store.Keys) error) error
	// Alive fails if the Lease is no longer held.
	Alive() error
	UpdateCheckpoint(ctx context.Context, change func(*store.Checkpoint) error) error
	HighWater() *store.HighWater
}
