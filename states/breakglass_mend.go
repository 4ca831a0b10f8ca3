package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// MendGlass ends the root token of BreakGlass, makes sure that it is dead, and forgets
// it. It works after ctx has ended, and does nothing if it was done already.
func (b *Bootstrap) MendGlass(ctx context.Context) error {
	used := b.grant.root
	if used == nil {
		return nil
	}
	b.grant.root = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mendTime)
	defer cancel()
	var last error
	err := retry.Do(ctx, retry.WithCappedDuration(2*time.Second, retry.NewExponential(100*time.Millisecond)), func(ctx context.Context) error {
		last = b.mendOnce(ctx, used)
		if last != nil && fault.KindOf(last) == fault.Transient {
			return retry.RetryableError(last)
		}
		return last
	})
	if err == nil {
		return nil
	}
	return fault.Wait(fmt.Errorf("ending the root token (accessor %q): %w", used.accessor, last),
		"It may still be alive. It is on record, encrypted: the next 'vault-bootstrap run' ends it as soon as it reaches Vault. By hand: 'vault token revoke -accessor ACCESSOR'.")
}

func (b *Bootstrap) mendOnce(ctx context.Context, used *rootGrant) error {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Glass == nil || keys.Glass.ID != used.id {
		return nil
	}
	if keys.Glass.Token.Empty() {
		keys.Glass.Token = used.token // known to us, and not stored
	}
	replica, err := b.activeOfOurs(ctx, keys)
	if err != nil {
		return err
	}
	return b.sweepGlass(ctx, replica.Address(), keys)
}

// sweepGlass ends what a break-glass has left that is not in use here: its token if
// that is known, its attempt if Vault still has it. What remains is a token that Vault
// made and nobody has seen; searchGlass looks for it once somebody has logged in.
func (b *Bootstrap) sweepGlass(ctx context.Context, address string, keys store.Keys) error {
	left := keys.Glass
	if left == nil || b.grant.root != nil && b.grant.root.id == left.ID {
		return nil
	}
	if !left.Token.Empty() {
		if err := b.endToken(ctx, address, *left); err != nil {
			return err
		}
		return b.forgetGlass(ctx, left.ID)
	}
	replica := b.At(address)
	if replica == nil {
		return fmt.Errorf("no replica is at %q", address)
	}
	attempt, err := replica.RootAttempt(ctx, left.Token)
	switch {
	case err != nil && !endpointClosed(err):
		return fmt.Errorf("looking for a root token of ours in the making: %w", err)
	case err == nil && attempt.Started && attempt.Fingerprint == left.Fingerprint:
		if err := replica.CancelRoot(ctx, left.Token); err != nil {
			return fmt.Errorf("ending our attempt to make a root token: %w", err)
		}
		b.Log.Warn("an attempt of ours to make a root token was called off", "holder", left.Holder, "reason", left.Reason)
	case !left.Finishing.IsZero():
		return nil
	}
	return b.forgetGlass(ctx, left.ID)
}

// endToken revokes a root token of ours and makes sure that it is dead.
func (b *Bootstrap) endToken(ctx context.Context, address string, left store.Glass) error {
	session, err := b.access.Dialer.Session(address, left.Token)
	if err != nil {
		return err
	}
	session.Because(left.Reason)
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
	b.tell("MendedGlass", fmt.Sprintf("The root token (accessor %s) of %s is revoked: %s", left.Accessor, left.Holder, left.Reason))
	b.Log.Warn("the root token is revoked", "reason", left.Reason, "accessor", left.Accessor, "holder", left.Holder)
	return nil
}

func (b *Bootstrap) forgetGlass(ctx context.Context, id string) error {
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Glass != nil && keys.Glass.ID == id {
			keys.Glass = nil
		}
		return nil
	})
}

// unseenFor bounds when a token was made whose answer nobody has seen: the request for
// it has ended by then.
const unseenFor = 2 * time.Minute

// searchGlass looks for a root token that Vault made for us and whose answer was lost.
// While our attempt was in progress nobody else could make one; so the only one that
// generate-root made since we gave the last share is ours.
func (b *Bootstrap) searchGlass(ctx context.Context, session *vault.Session, keys store.Keys) error {
	left := keys.Glass
	if left == nil || left.Finishing.IsZero() || !left.Token.Empty() || b.grant.root != nil && b.grant.root.id == left.ID {
		return nil
	}
	tokens, err := b.rootTokens(ctx, session)
	if vault.StatusOf(err) == http.StatusForbidden {
		b.Log.Warn("a root token may be left of a break-glass that was killed, and our policy does not let us look for it", "remedy", "Run 'vault-bootstrap break-glass run' to widen the policy, or look for it with 'vault list auth/token/accessors'.")
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a root token that was left: %w", err)
	}
	var ours []vault.Token
	for _, token := range tokens {
		if token.Path == rootPath && !token.Created.Before(left.Finishing.Add(-time.Second)) && token.Created.Before(left.Finishing.Add(unseenFor)) {
			ours = append(ours, token)
		}
	}
	switch len(ours) {
	case 0:
		b.Log.Info("no root token is left of the break-glass that was killed", "holder", left.Holder)
	case 1:
		if err := session.RevokeAccessor(ctx, ours[0].Accessor); err != nil {
			return fmt.Errorf("revoking the root token that was left: %w", err)
		}
		b.Log.Warn("the root token that a killed break-glass has left is revoked", "accessor", ours[0].Accessor, "holder", left.Holder)
	default:
		for _, token := range ours {
			b.Log.Warn("one of these root tokens is left of a killed break-glass, and nobody can tell which", "accessor", token.Accessor, "created", token.Created)
		}
	}
	return b.forgetGlass(ctx, left.ID)
}
