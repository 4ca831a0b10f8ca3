package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Emergency says why a root token is generated from key shares, and with what.
type Emergency struct {
	// Reason is the operator's.
	Reason string
	// Ask returns the shares of custodians, where we hold none.
	Ask AskShares
	// Token is for servers that require one for generate-root; it may be empty.
	Token secret.Value
}

// rootInUse is the root token in use.
type rootInUse struct {
	id       string
	token    secret.Value
	accessor string
	address  string
	reason   string
}

// BreakGlass generates a root token from the key shares, for one purpose, and revokes it.
type BreakGlass struct {
	admin       *Administrator
	parallelism int            // of token lookups
	root        *rootInUse     // nil if none is in use
	latest      *vault.Session // with it
}

// NewBreakGlass returns a BreakGlass with no root token in use.
func NewBreakGlass(by *Administrator, parallelism int) *BreakGlass {
	return &BreakGlass{admin: by, parallelism: parallelism}
}

// InUse reports whether the break-glass with that ID is this process's own.
func (g *BreakGlass) InUse(id string) bool { return g.root != nil && g.root.id == id }

// session returns a session with the root token in use, which passes the reason to Vault.
func (g *BreakGlass) session(address string) (*vault.Session, error) {
	session, err := g.admin.Dialer.Session(address, g.root.token)
	if err != nil {
		return nil, err
	}
	session.SetReason(g.root.reason)
	return session, nil
}

// View returns a view with the root token in use; ok is false if there is none.
func (g *BreakGlass) View(address string) (view vault.View, ok bool, err error) {
	if g.root == nil {
		return vault.View{}, false, nil
	}
	session, err := g.session(address)
	if err != nil {
		return vault.View{}, true, err
	}
	g.latest = session
	return session.View(), true, nil
}

// Behind returns the session of a view, if it is one with the root token; otherwise nil.
func (g *BreakGlass) Behind(view vault.View) *vault.Session {
	if view.Of(g.latest) {
		return g.latest
	}
	return nil
}

// Active reports whether a root token is in use.
func (g *BreakGlass) Active() bool { return g.root != nil }

// Make generates a root token from the key shares, for this run only. The caller must call End in
// every case, also after an error.
//
// The key that Vault encrypts the token to is stored before Vault is asked, and the token before it
// is used: after a kill -9 the next run finds it and revokes it.
func (g *BreakGlass) Make(ctx context.Context, why Emergency) (address string, token secret.Value, err error) {
	keys, err := g.admin.Records.Keys(ctx)
	if err != nil {
		return "", secret.Value{}, fmt.Errorf("reading the keys: %w", err)
	}
	if err := RefuseWithoutShares(keys); err != nil {
		return "", secret.Value{}, err
	}
	replica, err := g.admin.activeOfOurs(ctx, keys)
	if err != nil {
		return "", secret.Value{}, err
	}
	if err := g.Sweep(ctx, replica.Address(), keys); err != nil {
		return "", secret.Value{}, err
	}
	// The set that is marked as in force may be one that Vault no longer accepts.
	if keys, err = g.admin.SettleRotation(ctx, replica, keys, why.Token); err != nil {
		return "", secret.Value{}, err
	}
	way, attempt, err := g.admin.enterRoot(ctx, replica, keys, why.Token)
	if err != nil {
		return "", secret.Value{}, rootRefused(replica.Address(), way.Endpoints, err)
	}
	defer way.close(ctx)
	if attempt.Started {
		return "", secret.Value{}, rootInProgress(attempt)
	}
	made, err := g.intend(ctx, replica, why)
	if err != nil {
		return "", secret.Value{}, err
	}
	if err := g.makeRoot(ctx, replica, way.Endpoints, setToGive(keys), made, why); err != nil {
		return "", secret.Value{}, errors.Join(err, g.End(ctx))
	}
	g.admin.Log.Warn("a root token is in use", "reason", why.Reason, "accessor", g.root.accessor)
	g.admin.notify("BrokeGlass", fmt.Sprintf("A root token (accessor %s) is in use by %s: %s", g.root.accessor, g.admin.Holder, why.Reason))
	return replica.Address(), g.root.token, nil
}

// rootInProgress is the error for an attempt that is not ours. It is left alone.
func rootInProgress(attempt vault.RootAttempt) error {
	return fault.Held(fmt.Errorf("somebody else is generating a root token (nonce %s, %d of %d shares given)", attempt.Nonce, attempt.Progress, attempt.Required),
		"It is not ours, so it was not touched. Ask who began it; 'vault operator generate-root -status' shows it, 'vault operator generate-root -cancel' cancels it.")
}

// intend records what is about to be done.
func (g *BreakGlass) intend(ctx context.Context, replica cluster.Replica, why Emergency) (store.RootGrant, error) {
	pair, err := pgp.Generate("vault-bootstrap break-glass", g.admin.Now())
	if err != nil {
		return store.RootGrant{}, err
	}
	intent := store.RootGrant{
		ID: newID(), Holder: g.admin.Holder, Reason: why.Reason, Started: g.admin.Now().UTC(),
		PublicKey: pair.Public, PrivateKey: pair.Private, Fingerprint: pair.Fingerprint,
	}
	err = g.admin.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.RootGrant != nil {
			return errors.New("an earlier root token is still on record")
		}
		keys.RootGrant = &intent
		return nil
	})
	if err != nil {
		return store.RootGrant{}, err
	}
	g.root = &rootInUse{id: intent.ID, address: replica.Address(), reason: why.Reason}
	point.Reach("breakglass.intent")
	return intent, nil
}
