package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Exchange says how to exchange the key shares.
type Exchange struct {
	// Into is how to split the new key; its custodians, if any, will hold the new shares.
	Into KeySplit
	// Ask returns the present shares of custodians, AskNew the new ones once their owners have
	// decrypted them.
	Ask, AskNew AskShares
	// Token is for servers that require one for rekey; it may be empty.
	Token secret.Value
}

// Rotate exchanges the unseal keys, or the recovery keys with auto-unseal. It returns the set that
// is then in force.
//
// Vault puts new shares in force only when they are given back to it, and by then they are stored:
// at every moment the record holds the shares that open the Vault. After a crash, SettleRotation
// finds out which of two sets is in force.
func (a *Administrator) Rotate(ctx context.Context, x Exchange) (store.KeySet, error) {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return store.KeySet{}, fmt.Errorf("reading the keys: %w", err)
	}
	replica, err := a.activeOfOurs(ctx, keys)
	if err != nil {
		return store.KeySet{}, err
	}
	return a.rotateAt(ctx, replica, keys, x)
}

// rotateAt is Rotate at the active replica.
func (a *Administrator) rotateAt(ctx context.Context, replica cluster.Replica, keys store.Keys, x Exchange) (_ store.KeySet, err error) {
	if keys, err = a.SettleRotation(ctx, replica, keys, x.Token); err != nil {
		return store.KeySet{}, err
	}
	r := &rotation{Administrator: a, x: x, at: rekeyed{replica: replica, recovery: keys.Set.Kind == store.RecoveryKeys}, old: setToGive(keys)}
	way, status, err := a.enterRekey(ctx, replica, keys, r.at.recovery, x.Token)
	if err != nil {
		return store.KeySet{}, r.refused(way.Endpoints, err)
	}
	defer way.close(ctx)
	r.at.via = way.Endpoints
	if left := keys.Rotation; left != nil {
		if status.Started && IsOurs(*left, status) { // Vault still waits for its new shares
			a.Log.Info("continuing a rotation whose new shares are stored", "begun", left.Started)
			r.id, r.set = left.ID, *left.Set
			return r.putInForce(ctx)
		}
		r.doubted = left
	}
	if x.Into.Shares == 0 {
		return store.KeySet{}, fault.Misuse(errors.New("the rekey whose new shares were stored has ended, and only the owners of the shares can say which set is in force"),
			"Nothing was changed. Begin another exchange with --pgp-keys and the shares that Vault accepts: its new set replaces them all.")
	}
	if err := r.begin(ctx, status); err != nil {
		return store.KeySet{}, errors.Join(err, r.cancel(ctx))
	}
	return r.putInForce(ctx)
}

// rekeyed is whose keys are exchanged, and how it is reached.
type rekeyed struct {
	replica  cluster.Replica
	recovery bool
	via      vault.Endpoints
}

// rotation is one exchange in progress.
type rotation struct {
	*Administrator
	x        Exchange
	at       rekeyed
	id       string
	old, set store.KeySet
	// doubted is an earlier rotation that could not be settled; this one settles it.
	doubted *store.Rotation
}

// begin goes on until the new shares are stored. Nothing in Vault has changed by then.
func (r *rotation) begin(ctx context.Context, status vault.RekeyStatus) error {
	switch {
	case status.Started:
		return rekeyInProgress(r.at.replica.Address(), status.Nonce)
	case (status.Required == 0) != r.old.Shareless():
		return fault.Stop("rotation refused", fmt.Errorf("%s wants %d of the present shares, and %d are on record", r.at.replica.Address(), status.Required, r.old.Threshold),
			"Nothing was changed. Somebody else has exchanged the keys of this server: 'vault-bootstrap keys list' shows what is on record.")
	}
	intent, request, err := r.intend(ctx)
	if err != nil {
		return err
	}
	beginning, cancel, err := untilAnswered(ctx, "rekeying "+r.at.replica.Address())
	if err != nil {
		return err
	}
	defer cancel()
	begun, err := r.at.replica.BeginRekey(beginning, r.at.recovery, r.at.via, request)
	switch {
	case vault.Says(err, product.RekeyInProgress):
		return rekeyInProgress(r.at.replica.Address(), "")
	case err != nil:
		return r.refused(r.at.via, err)
	case begun.Verification && begun.Complete && r.old.Shareless():
		return r.keepNew(ctx, intent, begun)
	case !begun.Verification || begun.Nonce == "":
		return fault.Stop("rotation refused", fmt.Errorf("%s begins a rekey without verification", r.at.replica.Address()), "Nothing was changed. Without verification the new shares would be in force before they are stored.")
	}
	point.Reach("rotate.begun")
	if err := r.update(ctx, func(record *store.Rotation) { record.Nonce = begun.Nonce }); err != nil {
		return err
	}
	given, err := collect(ctx, r.old, begun.Required, r.x.Ask)
	if err != nil {
		return err
	}
	answer, err := r.give(ctx, begun.Nonce, given)
	if err != nil {
		return err
	}
	return r.keepNew(ctx, intent, answer)
}

// keepNew stores the new shares of Vault's answer, and reads them back. They are not in force.
func (r *rotation) keepNew(ctx context.Context, intent store.Rotation, answer vault.RekeyStatus) (err error) {
	point.Reach("rotate.answered")
	if r.set, err = r.open(intent, answer); err != nil {
		return err
	}
	if err := r.update(ctx, func(record *store.Rotation) { record.Set = &r.set }); err != nil {
		return err
	}
	if err := r.readNewBack(ctx); err != nil {
		return err
	}
	point.Reach("rotate.stored")
	return nil
}

// intend records what is about to be done, and the key that opens Vault's answer.
func (r *rotation) intend(ctx context.Context) (store.Rotation, vault.RekeyRequest, error) {
	intent := store.Rotation{ID: newID(), Holder: r.Holder, Started: r.Now().UTC()}
	request := vault.RekeyRequest{Threshold: r.x.Into.Threshold}
	for _, owner := range r.x.Into.Custodians {
		request.ShareKeys = append(request.ShareKeys, owner.Key)
		intent.Fingerprints = append(intent.Fingerprints, owner.Fingerprint)
	}
	if len(r.x.Into.Custodians) == 0 {
		pair, err := pgp.Generate("vault-bootstrap rotate", r.Now())
		if err != nil {
			return intent, request, err
		}
		intent.PublicKey, intent.PrivateKey = pair.Public, pair.Private
		request.ShareKeys = slices.Repeat([]string{pair.Public}, r.x.Into.Shares)
		intent.Fingerprints = slices.Repeat([]string{pair.Fingerprint}, r.x.Into.Shares)
	}
	err := r.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		switch left := keys.Rotation; {
		case left == nil:
		case r.doubted == nil || left.ID != r.doubted.ID:
			return errors.New("an earlier rotation is still on record")
		default:
			intent.Rivals = append(slices.Clone(left.Rivals), *left.Set)
		}
		keys.Rotation = &intent
		return nil
	})
	if err == nil {
		r.id = intent.ID
		point.Reach("rotate.intent")
	}
	return intent, request, err
}

// give gives the present shares, and returns the answer that holds the new ones.
func (r *rotation) give(ctx context.Context, nonce string, given []secret.Value) (vault.RekeyStatus, error) {
	var answer vault.RekeyStatus
	for _, share := range given {
		var err error
		if answer, err = r.at.replica.GiveRekey(ctx, r.at.recovery, r.at.via, nonce, share); err != nil {
			if sharesWrong(err) {
				return answer, wrongShares(r.at.replica.Address(), err)
			}
			return answer, fmt.Errorf("rekeying %s: %w", r.at.replica.Address(), err)
		}
	}
	if !answer.Complete || len(answer.Shares) != r.x.Into.Shares || answer.VerificationNonce == "" {
		return answer, fmt.Errorf("%s was given all shares, but answers with %d new ones instead of %d", r.at.replica.Address(), len(answer.Shares), r.x.Into.Shares)
	}
	return answer, nil
}

// open turns Vault's answer into a set. Shares of custodians stay encrypted.
func (r *rotation) open(intent store.Rotation, answer vault.RekeyStatus) (store.KeySet, error) {
	set := store.KeySet{Kind: r.old.Kind, Threshold: r.x.Into.Threshold, ClusterID: r.old.ClusterID, Created: r.Now().UTC()}
	for i, message := range answer.Shares {
		if len(r.x.Into.Custodians) > 0 {
			owner := r.x.Into.Custodians[i]
			set.Custody = append(set.Custody, store.CustodyShare{Owner: owner.Owner, Fingerprint: owner.Fingerprint, Message: message})
			continue
		}
		share, err := OpenShare(intent.PrivateKey, message)
		if err != nil {
			return set, fmt.Errorf("opening new share %d of %d: %w", i+1, len(answer.Shares), err)
		}
		set.Shares = append(set.Shares, share)
	}
	return set, nil
}

func (r *rotation) update(ctx context.Context, change func(*store.Rotation)) error {
	return r.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Rotation == nil || keys.Rotation.ID != r.id {
			return errors.New("the record of this rotation is gone")
		}
		change(keys.Rotation)
		return nil
	})
}

// readNewBack makes sure that the new shares can be read before Vault depends on them.
func (r *rotation) readNewBack(ctx context.Context) error {
	keys, err := r.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the new shares back: %w", err)
	}
	if keys.Rotation == nil || keys.Rotation.Set == nil ||
		!slices.EqualFunc(keys.Rotation.Set.Shares, r.set.Shares, secret.Value.Equal) || !slices.Equal(keys.Rotation.Set.Custody, r.set.Custody) {
		return errors.New("reading the new shares back: they are not there, or differ")
	}
	return nil
}
