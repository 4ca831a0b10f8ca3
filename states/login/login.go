// Package login implements the ways in which later runs log in to Vault, a file for each, and keeps
// the session that one of them has opened.
//
// Each way knows how to open a session, which objects in Vault it needs, and what a refusal means,
// so that no other code depends on which way it is. The package must not know the state machine,
// nor what is done with a session.
package login

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Method is a way to log in: with a role of our own at one of Vault's auth methods.
type Method interface {
	// Name returns the method's name, as in --login.
	Name() string
	// Objects returns the mount, its configuration and the role that make the login
	// possible. Tokens of the role carry policy.
	Objects(policy string) []object.Object
	// Open logs in at address. Without a credential, it fails with ErrNoCredential.
	Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error)
	// Settles returns how long a refusal must last before it counts.
	Settles() time.Duration
	// Denied says what 'permission denied' means: which part of the login failed, and what to
	// do about it.
	Denied() (part, remedy string)
	// Hint says what to check when the login does not work.
	Hint() string
	// Flags returns the flags that choose this login, for messages.
	Flags() string
}

// Optional abilities of methods.
type (
	// readable is a method that can have a second role, which only reads. AppRole, userpass and a
	// token in a file cannot: their credential belongs to one role or user.
	readable interface{ Reader() Method }
	// lender is a method whose token somebody else keeps alive.
	lender interface{ Lends() bool }
	// CredentialMaker is a method whose credential we create. keep stores it.
	CredentialMaker interface {
		MakeCredential(ctx context.Context, root *vault.Session, keep func(store.AppRole) error) error
	}
)

// Dialer opens sessions at a replica.
type Dialer interface {
	Session(address string, token secret.Value) (*vault.Session, error)
	Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*vault.Session, error)
}

// presenter is a method that logs in by writing a credential to a path.
type presenter interface {
	// Path is what follows "auth/".
	Path() string
	Credential(ctx context.Context, keys store.Keys) (map[string]secret.Value, error)
}

func present(ctx context.Context, dialer Dialer, address string, method presenter, keys store.Keys) (*vault.Session, error) {
	credential, err := method.Credential(ctx, keys)
	if err != nil {
		return nil, err
	}
	return dialer.Login(ctx, address, method.Path(), credential)
}

const (
	// ReadSuffix ends the names of the role and of the policy that only read.
	ReadSuffix = "-read"
	// SeedSuffix ends the name of the policy that is made from the seed.
	SeedSuffix = "-seed"
)

// ErrNoCredential means that the credential does not exist yet.
var ErrNoCredential = errors.New("no credential for the login is stored")

// The lifetime of a login's token: longer than any run needs between two logins, and short enough
// not to matter if a crash leaves one behind.
const (
	tokenLife    = "20m"
	tokenMaxLife = "1h"
)

// tokenFields returns a role's fields with those for the tokens that it issues: short-lived service
// tokens, since a batch token could not be revoked at the end of the run.
//
// They do not carry the policy default. Our own policy has all that we need, and default has
// templates, because of which Vault 1.21 parses it again for each request: a read then takes three
// times as long (docs/benchmarks.md).
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
