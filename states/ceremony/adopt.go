package ceremony

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// OwnLogin tries our own login at address. If Vault refuses it permanently, works is false and
// answer is what Vault said.
type OwnLogin func(ctx context.Context, address string, keys store.Keys) (works bool, answer string, err error)

// Adopt takes over a Vault that somebody else has initialized: it proves the offered keys and the
// root token against Vault, and only then stores them. It retries transient errors until ctx ends,
// and reports each to waiting. Adopting keys that are stored already changes nothing.
func (a *Administrator) Adopt(ctx context.Context, offer shares.Material, own OwnLogin, waiting func(err error, attempt int)) error {
	adopting := &adoption{Administrator: a, offer: offer, own: own}
	backoff := retry.WithCappedDuration(2*time.Second, retry.NewExponential(100*time.Millisecond))
	var last error
	attempt := 0
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := adopting.once(ctx)
		if err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Transient {
			return err
		}
		attempt++
		last = err
		waiting(err, attempt)
		return retry.RetryableError(err)
	})
	if err != nil && ctx.Err() != nil && last != nil {
		return fmt.Errorf("adopting: %w: %w", context.Cause(ctx), last)
	}
	if err != nil {
		return fmt.Errorf("adopting: %w", err)
	}
	return nil
}

// adoption is one takeover, with as many tries as it needs.
type adoption struct {
	*Administrator
	offer shares.Material
	own   OwnLogin
	// stored is the keys record as the latest try has found it.
	stored store.Keys
	// proven is the set of keys that Vault has accepted; nil before that.
	proven *store.KeySet
}

// once tries the whole way from a fresh look at the replicas to the stored keys.
func (a *adoption) once(ctx context.Context) error {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set != nil {
		return a.alreadyStored(keys)
	}
	a.stored = keys
	replicas, err := cluster.Look(ctx, a.Cluster, nil)
	if err != nil {
		return err
	}
	if err := adoptable(replicas); err != nil {
		return err
	}
	active, found := replicas.Active()
	var root *store.Root
	if found {
		// The token first: looking it up changes nothing anywhere.
		if root, err = a.proveToken(ctx, active.Address, keys); err != nil {
			return err
		}
	}
	if a.proven == nil {
		proven, err := a.proveShares(ctx, replicas)
		if err != nil {
			return err
		}
		a.proven = proven
		a.Log.Info("the key shares are proven", "kind", string(a.proven.Kind), "shares", len(a.proven.Shares), "threshold", a.proven.Threshold)
	}
	if !found {
		return fault.Wait(errors.New("the key shares are proven, and no replica is active yet"), "Waiting for Vault to elect an active node.")
	}
	point.Reach("adopt.proven")
	a.proven.ClusterID = active.ClusterID
	if err := a.keep(ctx, *a.proven, root); err != nil {
		return err
	}
	point.Reach("adopt.stored")
	return nil
}

// adoptable refuses a Vault that has no keys to adopt, and waits for one that does not answer.
func adoptable(replicas fsm.Replicas) error {
	if slices.ContainsFunc(replicas, func(r fsm.Replica) bool { return r.Health.Initialized() }) {
		return nil
	}
	for _, replica := range replicas {
		if replica.Health == fsm.NoAnswer {
			return fault.Wait(fmt.Errorf("waiting for an answer from %s (%s)", replica.Address, replica.Answer),
				"No replica reports that it is initialized yet. Check that the addresses are right, the servers are running and the network lets us through.")
		}
	}
	if len(replicas) == 0 {
		return fault.Wait(errors.New("no replica is known"), "Waiting for the replicas to appear.")
	}
	return fault.Misuse(errors.New("this Vault is uninitialized: there is nothing to adopt"),
		"Check the addresses. To initialize it: vault-bootstrap run.")
}

// alreadyStored lets an adoption that was cut off after its last step succeed. While a rotation is
// on record, the offered shares may be those of either set.
func (a *adoption) alreadyStored(keys store.Keys) error {
	var first error
	for _, set := range Candidates(keys) {
		err := a.storedAs(set)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (a *adoption) storedAs(set store.KeySet) error {
	offered := slices.Concat(a.offer.Unseal, a.offer.Recovery, a.offer.Plain)
	for _, share := range set.Shares {
		if !slices.ContainsFunc(offered, share.Equal) {
			return fault.Misuse(errors.New("keys are stored already, and they are not the given ones"),
				"Nothing was changed: if the stored keys are right, there is nothing to adopt, only 'vault-bootstrap run'. If they are of another Vault, give this one records of its own (--name), "+
					"or move the stored keys away first: docs/runbook.md, 'keys without a Vault', says how.")
		}
	}
	if len(set.Shares) == 0 {
		return fault.Misuse(errors.New("keys are stored already, encrypted to their custodians"), "Nothing was changed. Continue with vault-bootstrap run.")
	}
	a.Log.Info("these keys are stored already")
	return nil
}

// generateOne says how to get a root token.
const generateOne = "Generate one from the key shares ('vault operator generate-root': docs/runbook.md shows the commands) and give it with --token-file."

// proveToken makes sure that the first run can log in: with the root token or, if none is given,
// with our own login, which an earlier installation of ours may have set up.
func (a *adoption) proveToken(ctx context.Context, address string, keys store.Keys) (*store.Root, error) {
	if a.offer.Root.Empty() {
		works, answer, err := a.own(ctx, address, keys)
		if err == nil && !works {
			err = fault.Misuse(fmt.Errorf("no root token is given, and our own login does not work: %s", answer), generateOne)
		}
		return nil, err
	}
	session, err := a.Dialer.Session(address, a.offer.Root)
	if err != nil {
		return nil, err
	}
	identity, err := session.InRoot().Identity(ctx)
	switch {
	case httpstatus.Of(err) == http.StatusForbidden:
		return nil, fault.Misuse(fmt.Errorf("the root token is refused: %w", err), "Nothing was changed: it was revoked, or belongs to another Vault. "+generateOne)
	case err != nil:
		return nil, fmt.Errorf("looking up the root token: %w", err)
	case !slices.Contains(identity.Policies, "root"):
		return nil, fault.Misuse(fmt.Errorf("the token is not a root token: its policies are %q", identity.Policies), "Nothing was changed. "+generateOne)
	}
	return &store.Root{Token: a.offer.Root, Accessor: identity.Accessor}, nil
}

// errStored means that somebody else stored keys while ours were being proven.
var errStored = errors.New("other keys were stored while the given ones were being proven")

// takeOver makes a set that others have made the one in force, in a record that has none. A failed
// attempt of ours to initialize is kept beside it.
func takeOver(keys *store.Keys, set store.KeySet) error {
	if keys.Set != nil {
		return errStored
	}
	if keys.Attempt != nil {
		keys.Past = append(keys.Past, *keys.Attempt)
		keys.Attempt = nil
	}
	if keys.HashKey.Empty() {
		keys.HashKey = secret.New(rand.Text())
	}
	keys.Set = &set
	return nil
}

// keep stores the proven keys in one write, and reads them back.
func (a *adoption) keep(ctx context.Context, set store.KeySet, root *store.Root) error {
	err := a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.Root = root
		return takeOver(keys, set)
	})
	if err != nil {
		return err
	}
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored keys back: %w", err)
	}
	if keys.Set == nil || !slices.EqualFunc(keys.Set.Shares, set.Shares, secret.Value.Equal) {
		return errors.New("reading the stored keys back: they are not there, or differ")
	}
	a.Log.Info("adopted: the keys are stored", "shares", len(set.Shares), "cluster", set.ClusterID, "root_token", root != nil)
	return nil
}
