package store

import (
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// RootGrant is the root token that a break-glass generates from key shares for one purpose. It is
// recorded before Vault is asked, so that the run after a crash finds the token and revokes
// it.
type RootGrant struct {
	// ID is random and unique.
	ID string
	// Holder is the identity of the process that generates and uses it.
	Holder string
	// Reason is the reason given with --reason.
	Reason string
	// Started is when the intent was written, in UTC.
	Started time.Time
	// PublicKey and PrivateKey are a PGP key pair of this attempt's own, base64. Vault shows the
	// fingerprint while the attempt is in progress, which proves whose it is.
	PublicKey   string
	PrivateKey  secret.Value
	Fingerprint string
	// Finishing is when the last share was about to be submitted, in UTC and by Vault's clock; zero
	// before. From then on there may be a token that nobody has seen.
	Finishing time.Time
	// Token is the root token, Accessor its name; empty before Vault's answer.
	Token    secret.Value
	Accessor string
}

// Rotation is an exchange of the key shares. It is recorded before Vault is asked. What it holds is
// not in force before Keys.Set says so.
type Rotation struct {
	// ID is random and unique.
	ID string
	// Holder is the identity of the process at work.
	Holder string
	// Started is when the intent was written, in UTC.
	Started time.Time
	// PublicKey and PrivateKey are a PGP key pair of this rotation's own, base64; empty if the new
	// shares are encrypted to operators' own keys.
	PublicKey  string
	PrivateKey secret.Value
	// Fingerprints are of the PGP keys of the new shares, in order: Vault shows them
	// while the rekey is in progress.
	Fingerprints []string
	// Nonce names the rekey; empty before Vault's answer.
	Nonce string
	// Set holds the new shares from when Vault has returned them, before Vault puts them in force.
	Set *KeySet
	// Rivals are sets of earlier rotations that operators hold. Only they can find out whether one
	// of them is in force.
	Rivals []KeySet
}

// RootSince returns since when the root token of the first run is stored; zero if it is not.
func (k Keys) RootSince() time.Time {
	if k.Root == nil || k.Set == nil {
		return time.Time{}
	}
	return k.Set.Created
}

// RootNamespace is the name of the root namespace, which no other can have.
const RootNamespace = "root"
