package job

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Proof is what came of having a recipient unwrap the data key of the keys record.
type Proof struct {
	Recipient string
	// NotGiven is whether --keys-to does not name it, and NoIdentity whether only somebody else can
	// unwrap; else Err says why it does not, nil if it does.
	NotGiven, NoIdentity bool
	Err                  error
	// Last is when it was last proven before; zero if it never was.
	Last time.Time
}

// Prove has each recipient of the keys record that this process was given unwrap the data key, as
// another process would have it do, and records when for those that did. There is nothing to prove of
// a record in clear.
func Prove(ctx context.Context, records store.Store, session Updater, now time.Time) ([]Proof, error) {
	keys, err := session.Keys(ctx)
	if err != nil || keys.Sealing == nil {
		return nil, err
	}
	codec, err := Codec(records)
	if err != nil {
		return nil, err
	}
	results := codec.Try(ctx, *keys.Sealing)
	var proofs []Proof
	var proven []string
	for _, wrap := range keys.Sealing.Wraps {
		proof := Proof{Recipient: wrap.Recipient, Last: wrap.Proven}
		switch err, tried := results[wrap.Recipient]; {
		case !tried:
			proof.NotGiven = true
		case codec.Escrow(err):
			proof.NoIdentity = true
		case err != nil:
			proof.Err = err
		default:
			proven = append(proven, wrap.Recipient)
		}
		proofs = append(proofs, proof)
	}
	if len(proven) == 0 {
		return proofs, nil
	}
	tried := keys.Sealing.DataKey
	err = session.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Sealing != nil && keys.Sealing.DataKey == tried { // else somebody made a new one, and has proven that
			keys.Sealing = keys.Sealing.Proven(proven, now)
		}
		return nil
	})
	if err != nil {
		return proofs, fmt.Errorf("recording which recipients were proven: %w", err)
	}
	return proofs, nil
}

// AddIdentified adds to the recipients those of the keys record whose identities the options name:
// whoever keeps one of them need not repeat the recipient. The record is not opened for that.
func (o *StoreOptions) AddIdentified(ctx context.Context, env Lookup) error {
	if len(o.Encrypt.Identities) == 0 {
		return nil
	}
	known, err := agekey.ReadIdentities(o.Encrypt.Identities, nil)
	if err != nil {
		return fmt.Errorf("--keys-identity: %w", err)
	}
	records, _, err := o.open(env)
	if err != nil {
		return err
	}
	keys, _, err := records.Outline(ctx)
	if err != nil || keys.Sealing == nil {
		return err
	}
	given, found := len(o.Encrypt.To) > 0, 0
	for _, wrap := range keys.Sealing.Wraps {
		if form, err := keyring.Parse(wrap.Recipient); err == nil && form.Kind == keyring.Age && known.MayOpen(form.Key) {
			o.Encrypt.To = Union(o.Encrypt.To, []string{wrap.Recipient})
			o.Encrypt.some = !given
			found++
		}
	}
	if found == 0 && !given {
		return fault.Misuse(fmt.Errorf("no recipient of %s has its identity in the files of --keys-identity", records.Location().Keys), "'vault-bootstrap keys list' shows the recipients.")
	}
	return nil
}
