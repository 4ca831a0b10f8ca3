package states

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Login is how later runs log in: with a role of our own at one of Vault's auth
// methods.
type Login interface {
	// Name is the method's, as --login names it.
	Name() string
	// Objects returns the mount, its configuration and the role that make the login
	// possible. Tokens of the role carry policy.
	Objects(policy string) []object.Object
	// Path is what follows "auth/" in the login's path.
	Path() string
	// Credential returns what to log in with, or ErrNoCredential.
	Credential(ctx context.Context, keys store.Keys) (map[string]secret.Value, error)
	// Settles is how long a refusal must last before it counts.
	Settles() time.Duration
	// Hint says what to look at when the login does not work.
	Hint() string
	// Flags are the flags that choose this login, for messages.
	Flags() string
}

// ErrNoCredential means that the credential has not been made yet.
var ErrNoCredential = errors.New("no credential for the login is stored")

// The life of a login's token: longer than any run needs between two logins, and
// short enough not to matter when a crash leaves one behind.
const (
	tokenLife    = "20m"
	tokenMaxLife = "1h"
)

// tokenFields returns a role's fields with those of the tokens that it gives: short-lived
// service tokens, since a batch token could not be revoked at the end of the run.
//
// They do not carry the policy default. Our own has all that we need, and that one has
// templates, for whose sake Vault 1.21 parses it anew for each request: a read then takes
// three times as long (docs/benchmarks.md).
func tokenFields(policy string, fields map[string]any) map[string]any {
	all := map[string]any{
		"token_policies": []any{policy},
		"token_ttl":      tokenLife,
		"token_max_ttl":  tokenMaxLife,
		"token_type":     "service",

		"token_no_default_policy": true,
	}
	maps.Copy(all, fields)
	return all
}

// logoutTime is how long the end of a login may take: its token ends by itself.
const logoutTime = 3 * time.Second

// logout revokes the token of our own login, if there is one.
func (a *Access) logout(ctx context.Context) {
	if a.own != nil {
		a.end(ctx, a.own, a.ownLent)
		a.own = nil
	}
}

// end revokes the token of a login, unless it is lent: somebody else keeps it alive then.
func (a *Access) end(ctx context.Context, session *vault.Session, lent bool) {
	if lent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTime)
	defer cancel()
	if err := session.RevokeSelf(ctx); err != nil && vault.StatusOf(err) != 403 {
		a.Log.Warn("the login's token could not be revoked, it ends by itself", "after", tokenLife, "error", err.Error())
	}
}

// Close ends what the run has open in Vault.
func (a *Access) Close(ctx context.Context) { a.logout(ctx) }

// ForgetLogin ends the session of a login that was replaced, and what is remembered of
// its refusals.
func (a *Access) ForgetLogin(ctx context.Context) {
	a.logout(ctx)
	a.refused.clear()
}

// refusals remembers since when the login has been refused.
type refusals struct {
	since time.Time
}

// final reports whether a refusal has lasted long enough to count.
func (r *refusals) final(now time.Time, settles time.Duration) bool {
	if r.since.IsZero() {
		r.since = now
	}
	return now.Sub(r.since) >= settles
}

func (r *refusals) clear() { r.since = time.Time{} }

// waitForLogin is a refusal that does not count yet.
func waitForLogin(err error) error {
	return fault.Wait(fmt.Errorf("our login is refused: %w", err),
		"Waiting a while, since Vault gives the same answer when it cannot reach what it asks about the credential: the Kubernetes API, a key set, the cloud.")
}
