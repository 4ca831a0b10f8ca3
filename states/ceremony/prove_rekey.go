package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// proveByRekey begins a rekey with verification on the active node, gives it the shares, and
// cancels it. Vault checks the shares when it has enough of them, and changes nothing before the
// new shares are given back. Nobody can give them back: they are encrypted to a key that is
// discarded here. See docs/decisions/0008.
func (a *Administrator) proveByRekey(ctx context.Context, replica cluster.Replica, keys store.Keys, recovery bool, token secret.Value, given []secret.Value) error {
	way, status, err := a.enterRekey(ctx, replica, keys, recovery, token)
	defer way.close(ctx)
	switch {
	case err != nil:
		return rekeyRefused(replica.Address(), way.Endpoints, recovery, err)
	case status.Started:
		return rekeyInProgress(replica.Address(), status.Nonce)
	}
	pair, err := pgp.Generate("vault-bootstrap adopt", a.Now())
	if err != nil {
		return err
	}
	defer a.cancelProof(ctx, replica, recovery, way.Endpoints, pair.Fingerprint)
	begun, err := replica.BeginRekey(ctx, recovery, way.Endpoints, vault.RekeyRequest{ShareKeys: []string{pair.Public}})
	switch {
	case vault.Says(err, product.RekeyInProgress):
		return rekeyInProgress(replica.Address(), "")
	case err != nil:
		return rekeyRefused(replica.Address(), way.Endpoints, recovery, err)
	case !begun.Verification || begun.Nonce == "":
		return fault.Misuse(fmt.Errorf("%s begins a rekey without verification: it would take effect", replica.Address()),
			"Nothing was changed. Seal one of the replicas and run again: the shares are then proven by unsealing it.")
	}
	for _, share := range given {
		if status, err = replica.GiveRekey(ctx, recovery, way.Endpoints, begun.Nonce, share); err != nil {
			return rekeyAnswer(replica.Address(), err)
		}
	}
	if !status.Complete {
		return errors.New("the rekey was given all shares, but does not report whether they are right")
	}
	return nil
}

// cancelProof cancels a rekey of ours, recognized by the key that it encrypts to, even if the
// answer that names it was lost or the run is ending.
func (a *Administrator) cancelProof(ctx context.Context, replica cluster.Replica, recovery bool, via vault.Endpoints, fingerprint string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	err := retry.Do(ctx, retry.NewConstant(cancelWait), func(ctx context.Context) error {
		status, err := replica.Rekey(ctx, recovery, via)
		if err == nil && !slices.Contains(status.Fingerprints, fingerprint) {
			return nil
		}
		if err == nil {
			if err = replica.CancelRekey(ctx, recovery, via, status.Nonce); err == nil {
				err = errors.New("it is still in progress")
			}
		}
		return retry.RetryableError(err)
	})
	if err != nil {
		a.Log.Warn("the rekey that proved the shares could not be cancelled; it changes nothing, nobody can finish it, and it ends with the active node's process",
			"replica", replica.Address(), "error", err.Error(), "remedy", cancelRemedy)
	}
}

// The time for cancelling a rekey, and the wait between two checks whether it is gone.
const (
	cancelTime = 10 * time.Second
	cancelWait = 50 * time.Millisecond
)

const cancelRemedy = "'vault operator rekey -status' shows it, 'vault operator rekey -cancel -nonce=NONCE' cancels it (with -target=recovery for recovery keys)."

func rekeyInProgress(address, nonce string) error {
	return fault.Misuse(fmt.Errorf("a rekey is in progress at %s (nonce %q): the shares may be about to change", address, nonce),
		"Nothing was changed: whoever began it has to finish or cancel it. "+cancelRemedy)
}

// rekeyRefused is the error for a server that does not let us begin a rekey.
func rekeyRefused(address string, via vault.Endpoints, recovery bool, err error) error {
	if !EndpointClosed(err) {
		return fmt.Errorf("beginning a rekey at %s: %w", address, err)
	}
	return fault.Misuse(fmt.Errorf("%s does not let the shares be proven by a rekey: %w", address, err),
		"Nothing was changed. Seal or restart one of the replicas and run again: the shares are then proven by unsealing it. "+opening(via, err, "rekey", via.RekeyPaths(recovery)))
}

// rekeyAnswer classifies the ways in which the last share fails, by the messages of Vault 1.21.
func rekeyAnswer(address string, err error) error {
	if sharesWrong(err) {
		return wrongShares(address, err)
	}
	return fmt.Errorf("proving the shares at %s: %w", address, err)
}

func sharesWrong(err error) bool {
	return slices.ContainsFunc([]product.Text{
		product.AuthenticationFailed, product.KeysNotDecrypted, product.VerificationFailed, product.KeyNotComputed, product.InvalidKey, product.KeyShort, product.KeyLong,
	}, func(text product.Text) bool { return vault.Says(err, text) })
}
