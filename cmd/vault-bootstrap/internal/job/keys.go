package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// The values of --keys.
const (
	StoredKeys = "stored"
	NoKeys     = "none"
)

// Keyless reports whether the keys of Vault are not ours.
func (o *StoreOptions) Keyless() bool { return o.Keys == NoKeys }

// CheckKeys refuses a value of --keys that is neither of the two.
func (o *StoreOptions) CheckKeys() error {
	switch o.Keys {
	case "", StoredKeys, NoKeys:
		return nil
	}
	return fault.Misuse(fmt.Errorf("--keys=%q is neither 'stored' nor 'none'", o.Keys), "Write one of the two.")
}

// NeedsKeys refuses --keys=none for a verb that works with keys.
func (o *StoreOptions) NeedsKeys(verb string) error {
	if err := o.CheckKeys(); err != nil || !o.Keyless() {
		return err
	}
	return fault.Misuse(fmt.Errorf("%s works with stored keys, and --keys=none says that there are none", verb),
		"Whoever holds the keys of this Vault does it by hand. What our login may not do takes an administrator's token: 'vault-bootstrap run --keys=none --token-file=FILE'.")
}

// allow refuses a login whose credential would have to be stored where nothing that opens Vault is.
func (o *StoreOptions) allow(chain login.Chain, err error) (login.Chain, error) {
	if err != nil || !o.Keyless() {
		return chain, err
	}
	for _, method := range chain {
		if _, made := method.(login.CredentialMaker); made {
			return nil, fault.Misuse(fmt.Errorf("--login=%s with --keys=none: its secret ID would be stored in the keys record, where nothing that opens Vault may be", method.Name()),
				"Choose a login whose credential the platform gives, with --login or in the seed's section 'login': kubernetes, jwt, cert, aws, azure or gcp; or userpass or token-file. AppRole is the default for records in files.")
		}
	}
	return chain, nil
}

// Login returns the login of later runs that options and seed declare, for records in Kubernetes.
func (o *StoreOptions) Login(env Lookup, options *LoginOptions, clientCert string, declared []seed.LoginMethod) (login.Chain, error) {
	return o.allow(options.resolve(env, KubernetesStore, o.Name, clientCert, declared))
}

// RefuseKeys fails if --keys=none is given and the record holds some.
func (o *StoreOptions) RefuseKeys(ctx context.Context, records store.Store) error {
	if !o.Keyless() {
		return nil
	}
	keys, _, err := records.Outline(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	return states.RefuseKeys(keys)
}

// TokenOptions name the token that an administrator lends to one run. Value is what the file holds;
// whoever fills these options reads it.
type TokenOptions struct {
	File   string
	Revoke bool
	Value  secret.Value
}

// given returns the token; nil if there is none.
func (o *TokenOptions) given() *states.GivenToken {
	if o.Value.Empty() {
		return nil
	}
	return &states.GivenToken{Value: o.Value, From: "the file that --token-file names", Revoke: o.Revoke}
}

// checkKeys refuses what contradicts --keys.
func (o *RunOptions) checkKeys() error {
	if err := o.Store.CheckKeys(); err != nil {
		return err
	}
	if !o.Store.Keyless() {
		if o.Token.File != "" || o.Token.Revoke {
			return fault.Misuse(errors.New("--token-file and --revoke-token are for --keys=none"),
				"With stored keys, the first run has its own root token, and 'vault-bootstrap break-glass run' generates another. Or omit them.")
		}
		return nil
	}
	for _, each := range []struct {
		flag string
		set  bool
	}{
		{"--pgp-keys", len(o.Custody.Keys) > 0},
		{"--recovery-pgp-keys", len(o.Custody.RecoveryKeys) > 0},
		{"--wait-for-unseal", o.Custody.Wait},
		{"--on-keys-lost=reset", o.Loss.OnLost == resetWhenLost},
		{"--respect-seal", o.Loss.RespectSeal},
		{"--key-shares", o.given("key-shares")},
		{"--key-threshold", o.given("key-threshold")},
		{"--recovery-shares", o.given("recovery-shares")},
		{"--recovery-threshold", o.given("recovery-threshold")},
	} {
		if each.set {
			return fault.Misuse(fmt.Errorf("%s and --keys=none exclude each other: we neither initialize this Vault nor unseal it", each.flag), "Give one or the other.")
		}
	}
	switch {
	case o.Token.Revoke && o.Token.File == "":
		return fault.Misuse(errors.New("--revoke-token is given without --token-file"), "It revokes the token in that file: give both.")
	case o.Token.Revoke && o.Until != string(fsm.Hardened):
		return fault.Misuse(fmt.Errorf("--revoke-token with --until=%s: a token is revoked when our own login is proven, which leads to 'hardened'", o.Until), "Omit one of the two.")
	}
	return nil
}

// given reports whether a flag was given.
func (o *RunOptions) given(flag string) bool { return o.Login.Given != nil && o.Login.Given(flag) }
