package ceremony

import (
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// unsealAnswer classifies the ways in which the last share fails, by the messages of Vault 1.21 and
// OpenBao 2.5. If a server words them differently, the error counts as transient, which is safe and
// only slower.
func unsealAnswer(address string, err error) error {
	switch {
	case vault.Says(err, product.NoKeyYet):
		// A member that has just joined a raft cluster answers this if it gets the shares a second
		// time while it still opens with the first ones (Vault 1.21). It is about a key of its own
		// that it does not have yet, not about ours.
		return err
	case vault.Says(err, product.AuditSetupFailed), vault.Says(err, product.AuditConfigInvalid), vault.Says(err, product.AuditNotCreated):
		return &fsm.Symptom{Kind: fsm.AuditBlocks, Replica: address, Err: err}
	case vault.Says(err, product.AuthenticationFailed), vault.Says(err, product.KeysNotDecrypted),
		vault.Says(err, product.InvalidKey), vault.Says(err, product.NotHexOrBase64):
		return &fsm.Symptom{Kind: fsm.SharesRefused, Replica: address, Err: err}
	default:
		return err
	}
}
