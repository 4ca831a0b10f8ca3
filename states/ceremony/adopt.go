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

// OwnLogin tries our own login at address. Where it is refused for good it does not work, and
// answer is what Vault has said.
type OwnLogin func(ctx context.Context, address string, keys store.Keys) (works bool, answer string, err error)

// Adopt takes over a Vault that somebody else has initialized: it proves the offered
// keys and the root token on Vault, and only then stores them. It waits for what may
// pass until ctx ends; waiting is told what for. Adopting again what is stored already
// changes nothing.
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

// adoption is one takeover, over as many looks as it needs.
type adoption struct {
	*Administrator
	offer shares.Material
	own   OwnLogin
	// proven is the set of keys that Vault has accepted; nil before that.
	proven *store.KeySet
}

// once goes from a fresh look to the stored keys, as far as the world lets it.
func (a *adoption) once(ctx context.Context) error {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Set != nil {
		return a.alreadyStored(keys)
	}
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

// adoptable refuses a Vault that has no keys to adopt, and waits for one that does
// not say.
func adoptable(replicas fsm.Replicas) error {
	if slices.ContainsFunc(replicas, func(r fsm.Replica) bool { return r.Health.Initialized() }) {
		return nil
	}
	for _, replica := range replicas {
		if replica.Health == fsm.NoAnswer {
			return fault.Wait(fmt.Errorf("waiting for an answer from %s (%s)", replica.Address, replica.Answer),
				"No replica says yet that it is initialized. Check that the addresses are right, the servers are running and the network lets us through.")
		}
	}
	if len(replicas) == 0 {
		return fault.Wait(errors.New("no replica is known"), "Waiting for the replicas to appear.")
	}
	return fault.Misuse(errors.New("this Vault is uninitialized: there is nothing to adopt"),
		"Check the addresses. To initialize it: vault-bootstrap run.")
}

// alreadyStored lets an adoption that was cut off after its last step go on.
// While a rotation is on record the given ones may be those of either set.
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
			return fault.Misuse(errors.New("keys are stored already, and they are others than the given ones"),
				"Nothing was changed. If the stored keys are right, leave adopt away: vault-bootstrap run. If they are of another Vault, give this one records of its own (--name), "+
					"or move the stored keys away first: docs/runbook.md, 'keys without a Vault', says how.")
		}
	}
	if len(set.Shares) == 0 {
		return fault.Misuse(errors.New("keys are stored already, encrypted to their custodians"), "Nothing was changed. Go on with vault-bootstrap run.")
	}
	a.Log.Info("these keys are stored already")
	return nil
}

// makeOne says how to get a root token.
const makeOne = "Make one from the key shares ('vault operator generate-root': docs/runbook.md shows the commands) and give it with --token-file."

// proveToken makes sure that the first run can log in: with the root token, or, where
// none is given, with our own login, which an earlier life of ours may have set up.
func (a *adoption) proveToken(ctx context.Context, address string, keys store.Keys) (*store.Root, error) {
	if a.offer.Root.Empty() {
		works, answer, err := a.own(ctx, address, keys)
		if err == nil && !works {
			err = fault.Misuse(fmt.Errorf("no root token is given, and our own login does not work: %s", answer), makeOne)
		}
		return nil, err
	}
	session, err := a.Dialer.Session(address, a.offer.Root)
	if err != nil {
		return nil, err
	}
	identity, err := session.Identity(ctx)
	switch {
	case httpstatus.Of(err) == http.StatusForbidden:
		return nil, fault.Misuse(fmt.Errorf("the root token is refused: %w", err), "Nothing was changed. It was revoked, or belongs to another Vault. "+makeOne)
	case err != nil:
		return nil, fmt.Errorf("looking the root token up: %w", err)
	case !slices.Contains(identity.Policies, "root"):
		return nil, fault.Misuse(fmt.Errorf("the token is no root token: its policies are %q", identity.Policies), "Nothing was changed. "+makeOne)
	}
	return &store.Root{Token: a.offer.Root, Accessor: identity.Accessor}, nil
}

// errStored means that somebody stored keys while we proved ours.
var errStored = errors.New("keys were stored while ours were proven")

// keep stores what is proven in one write, and reads it back. An attempt of ours that
// came to nothing is kept beside it.
func (a *adoption) keep(ctx context.Context, set store.KeySet, root *store.Root) error {
	err := a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
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
		keys.Set, keys.Root = &set, root
		return nil
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
