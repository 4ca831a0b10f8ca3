package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Access logs in to Vault and keeps the sessions. Code that only reads gets views of them.
type Access struct {
	Dialer Dialer
	// Methods are how later runs log in.
	Methods Chain
	// FromSeed is whether the seed, and no flag, chose the methods.
	FromSeed bool
	// ReadsOnly makes it log in by the role that only reads, if there is one, and by our own if
	// that does not exist yet. With the former, Vault itself refuses every write.
	ReadsOnly bool
	// Keyless is whether the keys of Vault are not ours, which decides who can repair the login.
	Keyless bool
	// Clock, if not nil, returns the time of the server at address, to explain a refusal.
	Clock func(ctx context.Context, address string) (time.Time, error)
	Log   *slog.Logger
	Now   func() time.Time

	kept    kept
	given   *vault.Session // the latest with a token that was given to us
	refused refusals       // since when the login has been refused
	// unusable are the failures of other logins that were logged: one run proves them twice.
	unusable []string
}

// kept is the session of our login. The zero value is none.
type kept struct {
	session *vault.Session
	address string // of the server that it is connected to
	lent    bool   // somebody else keeps its token alive
	reads   bool   // it is that of the role that only reads
}

// With returns a view with a token at address.
func (a *Access) With(address string, token secret.Value) (vault.View, error) {
	session, err := a.Dialer.Session(address, token)
	if err != nil {
		return vault.View{}, err
	}
	a.given = session
	return session.View(), nil
}

// Ours returns a view with our own login, which is kept. fresh is whether the login is new.
func (a *Access) Ours(ctx context.Context, address string, keys store.Keys) (view vault.View, fresh bool, err error) {
	if a.kept.session != nil && a.kept.address == address {
		return a.kept.session.View(), false, nil
	}
	session, by, err := a.loginAmong(ctx, a.Methods.ways(a.ReadsOnly), address, keys)
	if err != nil {
		return vault.View{}, false, err
	}
	a.Close(ctx)
	a.kept = kept{session, address, by.lent(), by.reads}
	return session.View(), true, nil
}

// Kept returns the session of our own login; nil if there is none.
func (a *Access) Kept() *vault.Session { return a.kept.session }

// Behind returns the session that a look was made with, for the act that follows it; nil if there
// was none, or it is no longer kept.
func (a *Access) Behind(view vault.View) *vault.Session {
	for _, session := range []*vault.Session{a.kept.session, a.given} {
		if view.Of(session) {
			return session
		}
	}
	return nil
}

// OnlyReads reports whether the current login is by the role that only reads.
func (a *Access) OnlyReads() bool { return a.kept.reads }

// Lapse forgets the current login, whose token has expired.
func (a *Access) Lapse() { a.kept.session = nil }

// RefusedPermanently reports whether refusals of our login have lasted long enough to count.
func (a *Access) RefusedPermanently() bool { return a.refused.final(a.Now(), a.Methods.Settles()) }

// Accepted ends the count of refusals.
func (a *Access) Accepted() { a.refused.clear() }

// Hint says what to check when the login does not work.
func (a *Access) Hint() string { return a.Methods.Hint() }

// Flags returns the flags that choose the login, with a leading space; none if the seed does.
func (a *Access) Flags() string {
	if a.FromSeed {
		return ""
	}
	return " " + a.Methods.Flags()
}

// Refused reports whether a login has failed because Vault, or the source of the credential,
// refused it.
func Refused(err error) bool { return errors.Is(err, ErrNoCredential) || vault.Refused(err) }

// loginAmong logs in by the first of several ways that lets us in, and returns that way.
func (a *Access) loginAmong(ctx context.Context, ways []way, address string, keys store.Keys) (*vault.Session, way, error) {
	var refused, unread error
	for _, way := range ways {
		session, err := way.Open(ctx, a.Dialer, address, keys)
		if err == nil {
			a.Log.Debug("logged in", "method", way.Name(), "reads_only", way.reads)
			if unread != nil && !way.reads {
				a.Log.Warn("the role that only reads does not let us in, so our own is used; 'run' creates the other", "error", unread.Error())
			}
			return session, way, nil
		}
		if !vault.Refused(err) && !errors.Is(err, ErrNoCredential) && fault.KindOf(err) != fault.Usage {
			return nil, way, a.explain(ctx, way.Method, address, keys, err) // nobody refused: the next cycle tries again
		}
		err = a.explain(ctx, way.Method, address, keys, err)
		switch {
		case way.reads:
			unread = err
		case refused == nil:
			refused = err
		default:
			refused = fmt.Errorf("%w; %w", refused, err)
		}
	}
	return nil, way{}, refused
}

// LogIn logs in by our own role. The caller owns the session and must call end.
func (a *Access) LogIn(ctx context.Context, address string, keys store.Keys) (session *vault.Session, end func(context.Context), err error) {
	session, by, err := a.loginAmong(ctx, a.Methods.own(), address, keys)
	if err != nil {
		return nil, nil, err
	}
	return session, func(ctx context.Context) { a.end(ctx, session, by.lent()) }, nil
}

// Try checks whether our own role lets us in, and ends that login.
func (a *Access) Try(ctx context.Context, address string, keys store.Keys) error {
	_, end, err := a.LogIn(ctx, address, keys)
	if err == nil {
		end(ctx)
	}
	return err
}

// Change switches to other methods for later logins. It ends the current login, and forgets past
// refusals.
func (a *Access) Change(ctx context.Context, methods Chain, fromSeed bool) {
	a.Methods, a.FromSeed = methods, fromSeed
	a.Close(ctx)
	a.refused.clear()
}

// logoutTime is how long logging out may take: the token expires by itself.
const logoutTime = 3 * time.Second

// Close ends our own login, if there is one.
func (a *Access) Close(ctx context.Context) {
	if a.kept.session != nil {
		a.end(ctx, a.kept.session, a.kept.lent)
		a.kept.session = nil
	}
}

// end revokes the token of a login, unless it is lent: then somebody else keeps it alive.
func (a *Access) end(ctx context.Context, session *vault.Session, lent bool) {
	if lent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTime)
	defer cancel()
	if err := session.RevokeSelf(ctx); err != nil && httpstatus.Of(err) != 403 {
		a.Log.Warn("the login's token could not be revoked, it expires by itself", "after", tokenLife, "error", err.Error())
	}
}
