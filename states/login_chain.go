package states

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Chain is several ways to log in, tried in order: the next one only when Vault, or the
// place where the credential is, has refused the one before.
type Chain []Login

// methods returns the ways to log in, in order.
func methods(login Login) []Login {
	if chain, ok := login.(Chain); ok {
		return chain
	}
	return []Login{login}
}

// Name returns the methods' names, in order.
func (c Chain) Name() string {
	return c.join(",", func(l Login) string { return l.Name() })
}

// Objects returns what all the methods need.
func (c Chain) Objects(policy string) []object.Object {
	var all []object.Object
	for _, each := range c {
		all = append(all, each.Objects(policy)...)
	}
	return all
}

// Path returns the first method's path.
func (c Chain) Path() string { return c[0].Path() }

// Credential returns the first method's.
func (c Chain) Credential(ctx context.Context, keys store.Keys) (map[string]secret.Value, error) {
	return c[0].Credential(ctx, keys)
}

// Settles returns the longest time that one of them needs.
func (c Chain) Settles() time.Duration {
	var longest time.Duration
	for _, each := range c {
		longest = max(longest, each.Settles())
	}
	return longest
}

// Hint returns all hints.
func (c Chain) Hint() string {
	return c.join(" ", func(l Login) string { return l.Name() + ": " + l.Hint() })
}

// Flags returns the flags that choose these logins.
func (c Chain) Flags() string { return "--login=" + c.Name() }

func (c Chain) join(separator string, text func(Login) string) string {
	parts := make([]string, len(c))
	for i, each := range c {
		parts[i] = text(each)
	}
	return strings.Join(parts, separator)
}

// login returns a session of our own at address. It keeps the one it made.
func (a *Access) login(ctx context.Context, address string, keys store.Keys) (*vault.Session, error) {
	if a.own != nil && a.ownAt == address {
		return a.own, nil
	}
	session, by, err := a.loginAmong(ctx, a.ways(), address, keys)
	if err != nil {
		return nil, err
	}
	a.logout(ctx)
	a.own, a.ownAt, a.ownLent, a.ownReads = session, address, by.lent(), by.reads
	return session, nil
}

// loginAmong logs in by the first of several ways that lets us in, and returns which.
func (a *Access) loginAmong(ctx context.Context, ways []way, address string, keys store.Keys) (*vault.Session, way, error) {
	var refused, unread error
	for _, way := range ways {
		session, err := a.loginBy(ctx, way.Login, address, keys)
		if err == nil {
			a.Log.Debug("logged in", "method", way.Name(), "reads_only", way.reads)
			if unread != nil && !way.reads {
				a.Log.Warn("the role that only reads does not let us in, so we look with our own; 'run' makes it", "error", unread.Error())
			}
			return session, way, nil
		}
		if !vault.Refused(err) && !errors.Is(err, ErrNoCredential) && fault.KindOf(err) != fault.Usage {
			return nil, way, a.explain(ctx, way.Login, address, err) // nobody has said no: the next cycle tries again
		}
		err = a.explain(ctx, way.Login, address, err)
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

// try reports whether our own role lets us in, and ends that login.
func (a *Access) try(ctx context.Context, address string, keys store.Keys) error {
	session, by, err := a.loginAmong(ctx, a.ownWays(), address, keys)
	if err == nil {
		a.end(ctx, session, by.lent())
	}
	return err
}

// way is one role to log in by.
type way struct {
	Login
	reads bool // it is the one that only reads
}

// lent reports whether somebody else keeps the token alive.
func (w way) lent() bool {
	_, lent := w.Login.(TokenFile)
	return lent
}

// ownWays returns our own roles, in order.
func (a *Access) ownWays() []way {
	var ways []way
	for _, method := range methods(a.Login) {
		ways = append(ways, way{method, false})
	}
	return ways
}

// ways returns the roles to log in by, in order: ours, and before each of them the one
// that only reads, if that is enough.
func (a *Access) ways() []way {
	var ways []way
	for _, method := range methods(a.Login) {
		if read, ok := reader(method); ok && a.ReadsOnly {
			ways = append(ways, way{read, true})
		}
		ways = append(ways, way{method, false})
	}
	return ways
}

// loginBy logs in by one method.
func (a *Access) loginBy(ctx context.Context, method Login, address string, keys store.Keys) (*vault.Session, error) {
	switch way := method.(type) {
	case TokenFile:
		token, err := way.Token()
		if err != nil {
			return nil, err
		}
		session, err := a.Dialer.Session(address, token)
		if err == nil {
			_, err = session.Identity(ctx)
		}
		return session, err
	case AWS:
		official, err := way.Make()
		if err != nil {
			return nil, err
		}
		session, err := a.Dialer.LoginBy(ctx, address, official)
		if vault.StatusOf(err) == 0 && vault.Mentions(err, "credential") {
			err = fmt.Errorf("%w: %w", ErrNoCredential, err)
		}
		return session, err
	}
	credential, err := method.Credential(ctx, keys)
	if err != nil {
		return nil, err
	}
	session, err := a.Dialer.Login(ctx, address, method.Path(), credential)
	markRefusal(method, err)
	return session, err
}
