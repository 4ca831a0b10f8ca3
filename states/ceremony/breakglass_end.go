package ceremony

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// End revokes the root token of Make, makes sure that it is dead, and forgets it. It works after
// ctx has ended, and does nothing if there is no such token any more.
func (g *BreakGlass) End(ctx context.Context) error {
	used := g.root
	if used == nil {
		return nil
	}
	g.root = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var last error
	err := retry.Do(ctx, retry.WithCappedDuration(2*time.Second, retry.NewExponential(100*time.Millisecond)), func(ctx context.Context) error {
		last = g.endOnce(ctx, used)
		if last != nil && fault.KindOf(last) == fault.Transient && !errors.Is(last, errSealed) {
			return retry.RetryableError(last)
		}
		return last
	})
	if err == nil {
		return nil
	}
	if errors.Is(last, errSealed) { // whoever unseals it is waiting for our Lease
		return fault.Wait(fmt.Errorf("the root token (accessor %q) is not revoked yet: %w", used.accessor, last),
			"It is on record, encrypted: the next 'vault-bootstrap run' revokes it as soon as Vault is unsealed.")
	}
	return fault.Wait(fmt.Errorf("revoking the root token (accessor %q): %w", used.accessor, last),
		"It may still be alive, and is on record, encrypted: the next 'vault-bootstrap run' revokes it as soon as it reaches Vault. To revoke it yourself: 'vault token revoke -accessor ACCESSOR'.")
}

func (g *BreakGlass) endOnce(ctx context.Context, used *rootInUse) error {
	keys, err := g.admin.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.RootGrant == nil || keys.RootGrant.ID != used.id {
		return nil
	}
	if keys.RootGrant.Token.Empty() {
		keys.RootGrant.Token = used.token // known to us, and not stored
	}
	replica, err := g.admin.activeOfOurs(ctx, keys)
	if err != nil {
		return err
	}
	return g.Sweep(ctx, replica.Address(), keys)
}

// Sweep ends what a break-glass that this process does not use has left behind: its token if that
// is known, its attempt if Vault still has it. What may remain is a token that Vault created and
// nobody has seen; Search looks for it once somebody has logged in.
func (g *BreakGlass) Sweep(ctx context.Context, address string, keys store.Keys) error {
	left := keys.RootGrant
	if left == nil || g.root != nil && g.root.id == left.ID {
		return nil
	}
	if !left.Token.Empty() {
		if err := g.revoke(ctx, address, *left); err != nil {
			return err
		}
		return g.forget(ctx, left.ID)
	}
	replica := g.admin.Cluster.At(address)
	if replica == nil {
		return fmt.Errorf("no replica is at %q", address)
	}
	way, attempt, err := g.admin.enterRoot(ctx, replica, keys, secret.Value{})
	defer way.close(ctx)
	switch {
	case err != nil && !EndpointClosed(err):
		return fmt.Errorf("checking for a pending root token of ours: %w", err)
	case err == nil && attempt.Started && attempt.Fingerprint == left.Fingerprint:
		if err := replica.CancelRoot(ctx, way.Endpoints); err != nil {
			return fmt.Errorf("cancelling our attempt to generate a root token: %w", err)
		}
		g.admin.Log.Warn("an attempt of ours to generate a root token was cancelled", "holder", left.Holder, "reason", left.Reason)
	case !left.Finishing.IsZero():
		return nil
	}
	return g.forget(ctx, left.ID)
}

// revoke revokes a root token of ours and makes sure that it is dead.
func (g *BreakGlass) revoke(ctx context.Context, address string, left store.RootGrant) error {
	session, err := g.admin.Dialer.Session(address, left.Token)
	if err != nil {
		return err
	}
	session.SetReason(left.Reason)
	session = session.InRoot()
	dead, err := session.Dead(ctx)
	if err == nil && !dead {
		if err = session.RevokeSelf(ctx); err == nil {
			if dead, err = session.Dead(ctx); err == nil && !dead {
				err = errors.New("it still works")
			}
		}
	}
	if err != nil {
		return fmt.Errorf("revoking the root token of break-glass: %w", err)
	}
	point.Reach("breakglass.revoked")
	g.admin.notify("MendedGlass", fmt.Sprintf("The root token (accessor %s) of %s is revoked: %s", left.Accessor, left.Holder, left.Reason))
	g.admin.Log.Warn("the root token is revoked", "reason", left.Reason, "accessor", left.Accessor, "holder", left.Holder)
	return nil
}

func (g *BreakGlass) forget(ctx context.Context, id string) error {
	return g.admin.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.RootGrant != nil && keys.RootGrant.ID == id {
			keys.RootGrant = nil
		}
		return nil
	})
}

// unseenFor bounds the creation time of a token whose answer nobody has seen: the request for it
// has ended by then.
const unseenFor = 2 * time.Minute

// Search looks for a root token that Vault created for us and whose answer was lost. While our
// attempt was in progress nobody else could generate one, so the only one that generate-root has
// created since we gave the last share is ours.
func (g *BreakGlass) Search(ctx context.Context, session *vault.Session, keys store.Keys) error {
	left := keys.RootGrant
	if left == nil || left.Finishing.IsZero() || !left.Token.Empty() || g.root != nil && g.root.id == left.ID {
		return nil
	}
	if session.Namespace() != "" {
		// Root tokens cannot be seen from there. Nobody has the answer that held the token, and
		// without the key on record nobody could open it.
		g.admin.Log.Warn("a killed break-glass may have left a root token that nobody knows, and our login sees no tokens of the root namespace",
			"holder", left.Holder, "reason", left.Reason, "after", left.Finishing.Format(time.RFC3339),
			"remedy", "Look for a root token of that time in the root namespace with 'vault list auth/token/accessors', and revoke it by its accessor.")
		g.admin.notify("RootTokenUnknown", fmt.Sprintf("A root token that nobody knows may be alive, of the break-glass of %s after %s", left.Holder, left.Finishing.Format(time.RFC3339)))
		return g.forget(ctx, left.ID)
	}
	tokens, err := rootTokens(ctx, session, g.parallelism)
	if httpstatus.Of(err) == http.StatusForbidden {
		g.admin.Log.Warn("a killed break-glass may have left a root token, and our policy does not let us look for it", "remedy", "Run 'vault-bootstrap break-glass run' to widen the policy, or look for it with 'vault list auth/token/accessors'.")
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a root token that was left behind: %w", err)
	}
	var ours []vault.Token
	for _, token := range tokens {
		if token.Path == rootPath && !token.Created.Before(left.Finishing.Add(-time.Second)) && token.Created.Before(left.Finishing.Add(unseenFor)) {
			ours = append(ours, token)
		}
	}
	switch len(ours) {
	case 0:
		g.admin.Log.Info("the killed break-glass has left no root token", "holder", left.Holder)
	case 1:
		if err := session.RevokeAccessor(ctx, ours[0].Accessor); err != nil {
			return fmt.Errorf("revoking the root token that was left behind: %w", err)
		}
		g.admin.Log.Warn("the root token that a killed break-glass left behind is revoked", "accessor", ours[0].Accessor, "holder", left.Holder)
	default:
		for _, token := range ours {
			g.admin.Log.Warn("one of these root tokens was left behind by a killed break-glass, and it is not known which", "accessor", token.Accessor, "created", token.Created)
		}
	}
	return g.forget(ctx, left.ID)
}
