package ceremony

import (
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// unsealAnswer classifies the ways in which the last share fails, by the messages of Vault 1.21 and
// OpenBao 2.5. If a server words them differently, the error counts as transient, which is safe and
// only slower.
func unsealAnswer(address string, err error) error {
	switch {
	case vault.Says(err, "invalid key size 0"):
		// A member that has just joined a raft cluster answers this if it gets the shares a second
		// time while it still opens with the first ones (Vault 1.21). It is about a key of its own
		// that it does not have yet, not about ours.
		return err
	case vault.Says(err, "failed to setup audit table"),
		// OpenBao 2.6, about the stanzas in its configuration.
		vault.Says(err, "failed to validate audit device config"), vault.Says(err, "failed to create new audit device"):
		return &fsm.Symptom{Kind: fsm.AuditBlocks, Replica: address, Err: err}
	case vault.Says(err, "message authentication failed"), vault.Says(err, "failed to decrypt keys"),
		vault.Says(err, "invalid key"), vault.Says(err, "must be a valid hex or base64 string"):
		return &fsm.Symptom{Kind: fsm.SharesRefused, Replica: address, Err: err}
	default:
		return err
	}
}
