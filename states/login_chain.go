package states

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
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
func (c Chain) Objects(policy string) []seed.Object {
	var all []seed.Object
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
func (b *Bootstrap) login(ctx context.Context, address string, keys store.Keys) (*vault.Session, error) {
	if b.own != nil && b.ownAt == address {
		return b.own, nil
	}
	var refused error
	for _, method := range methods(b.Login) {
		session, err := b.loginBy(ctx, method, address, keys)
		if err == nil {
			b.logout(ctx)
			_, b.ownLent = method.(TokenFile)
			b.own, b.ownAt = session, address
			b.Log.Debug("logged in", "method", method.Name())
			return session, nil
		}
		if !vault.Refused(err) && !errors.Is(err, ErrNoCredential) && fault.KindOf(err) != fault.Usage {
			return nil, b.explain(ctx, method, address, err) // nobody has said no: the next cycle tries again
		}
		if err = b.explain(ctx, method, address, err); refused != nil {
			err = fmt.Errorf("%w; %w", refused, err)
		}
		refused = err
	}
	return nil, refused
}

// loginBy logs in by one method.
func (b *Bootstrap) loginBy(ctx context.Context, method Login, address string, keys store.Keys) (*vault.Session, error) {
	switch way := method.(type) {
	case TokenFile:
		token, err := way.Token()
		if err != nil {
			return nil, err
		}
		session, err := b.Doorman.Session(address, token)
		if err == nil {
			_, err = session.Identity(ctx)
		}
		return session, err
	case AWS:
		official, err := way.Make()
		if err != nil {
			return nil, err
		}
		session, err := b.Doorman.LoginBy(ctx, address, official)
		if vault.StatusOf(err) == 0 && vault.Mentions(err, "credential") {
			err = fmt.Errorf("%w: %w", ErrNoCredential, err)
		}
		return session, err
	}
	credential, err := method.Credential(ctx, keys)
	if err != nil {
		return nil, err
	}
	return b.Doorman.Login(ctx, address, method.Path(), credential)
}
