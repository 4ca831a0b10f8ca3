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
	// Holder is the identity of the process that makes and uses it.
	Holder string
	// Reason is the person's, as --reason gave it.
	Reason string
	// Started is when the intent was written, in UTC.
	Started time.Time
	// PublicKey and PrivateKey are a PGP key pair of this attempt's own, base64. Vault
	// shows the fingerprint while the attempt is in progress: it proves whose it is.
	PublicKey   string
	PrivateKey  secret.Value
	Fingerprint string
	// Finishing is when the last share was about to be given, in UTC and by Vault's
	// clock; zero before. From then on there may be a token that nobody has seen.
	Finishing time.Time
	// Token is the root token, Accessor its name; empty before Vault's answer.
	Token    secret.Value
	Accessor string
}

// Rotation is an exchange of the key shares. It is written before Vault is asked, and
// what it holds is not in force before Set of the keys says so.
type Rotation struct {
	// ID is random and unique.
	ID string
	// Holder is the identity of the process at work.
	Holder string
	// Started is when the intent was written, in UTC.
	Started time.Time
	// PublicKey and PrivateKey are a PGP key pair of this rotation's own, base64; empty
	// where operators' own keys take the new shares.
	PublicKey  string
	PrivateKey secret.Value
	// Fingerprints are of the PGP keys of the new shares, in order: Vault shows them
	// while the rekey is in progress.
	Fingerprints []string
	// Nonce names the rekey; empty before Vault's answer.
	Nonce string
	// Set holds the new shares as soon as Vault has given them out, and before Vault
	// puts them in force.
	Set *KeySet
	// Rivals are sets of earlier rotations that operators hold, of which nobody else can
	// tell whether one is in force.
	Rivals []KeySet
}
