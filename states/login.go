package states

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Login is how later runs log in: with a role of our own at one of Vault's auth
// methods.
type Login interface {
	// Objects returns the mount, its configuration and the role that make the login
	// possible. Tokens of the role carry policy.
	Objects(policy string) []seed.Object
	// Path is what follows "auth/" in the login's path.
	Path() string
	// Credential returns what to log in with, or ErrNoCredential.
	Credential(keys store.Keys) (map[string]secret.Value, error)
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

// AppRole logs in with a secret ID that is kept in the keys record. It is for
// places that give a program no identity of its own.
type AppRole struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
}

// Objects returns the AppRole mount and role.
func (a AppRole) Objects(policy string) []seed.Object {
	return []seed.Object{
		seed.AuthMount(a.Mount, "approle", nil),
		seed.Role(a.Mount, "approle", a.RoleName, map[string]any{
			"token_policies": []any{policy},
			"token_ttl":      tokenLife,
			"token_max_ttl":  tokenMaxLife,
			"token_type":     "service", // a batch token could not be revoked at the end of the run
		}),
	}
}

// Path returns the login's path.
func (a AppRole) Path() string { return a.Mount + "/login" }

// Settles returns 0: AppRole asks nobody else, so that its answer is final.
func (a AppRole) Settles() time.Duration { return 0 }

// Hint says what AppRole needs.
func (a AppRole) Hint() string {
	return fmt.Sprintf("Look at the role %q of the auth method %q.", a.RoleName, a.Mount)
}

// Flags returns the flags that choose this login.
func (a AppRole) Flags() string { return "--login=approle --login-path=" + a.Mount }

// Credential returns the stored role ID and secret ID.
func (a AppRole) Credential(keys store.Keys) (map[string]secret.Value, error) {
	if keys.AppRole == nil {
		return nil, ErrNoCredential
	}
	return map[string]secret.Value{"role_id": secret.New(keys.AppRole.RoleID), "secret_id": keys.AppRole.SecretID}, nil
}

// Kubernetes logs in with a projected service account token.
type Kubernetes struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Host is the URL at which Vault reaches the Kubernetes API.
	Host string
	// ServiceAccount and Namespace name the account that may log in.
	ServiceAccount, Namespace string
	// Audience is the one that the token was made for.
	Audience string
	// Token reads the token. It is read for each login, as the kubelet renews it.
	Token func() (secret.Value, error)
}

// Objects returns the mount, its configuration and the role. Vault reviews tokens
// with its own service account, so that no reviewer's token is stored in it.
func (k Kubernetes) Objects(policy string) []seed.Object {
	return []seed.Object{
		seed.AuthMount(k.Mount, "kubernetes", nil),
		seed.AuthConfig(k.Mount, "kubernetes", map[string]any{"kubernetes_host": k.Host}),
		seed.Role(k.Mount, "kubernetes", k.RoleName, map[string]any{
			"bound_service_account_names":      []any{k.ServiceAccount},
			"bound_service_account_namespaces": []any{k.Namespace},
			"audience":                         k.Audience,
			"token_policies":                   []any{policy},
			"token_ttl":                        tokenLife,
			"token_max_ttl":                    tokenMaxLife,
			"token_type":                       "service",
		}),
	}
}

// Path returns the login's path.
func (k Kubernetes) Path() string { return k.Mount + "/login" }

// Settles returns some seconds: Vault answers 'permission denied' also when it
// could not reach the Kubernetes API to review the token.
func (k Kubernetes) Settles() time.Duration { return 15 * time.Second }

// Hint says what Kubernetes auth needs.
func (k Kubernetes) Hint() string {
	return fmt.Sprintf("Vault must reach the Kubernetes API at %s and be allowed to review tokens there: its service account needs the ClusterRole system:auth-delegator (the official chart's server.authDelegator). "+
		"Our token must be of the service account %s/%s and for the audience %q.", k.Host, k.Namespace, k.ServiceAccount, k.Audience)
}

// Flags returns the flags that choose this login.
func (k Kubernetes) Flags() string { return "--login=kubernetes --login-path=" + k.Mount }

// Credential returns the role's name and the token.
func (k Kubernetes) Credential(store.Keys) (map[string]secret.Value, error) {
	token, err := k.Token()
	if err != nil {
		return nil, err
	}
	return map[string]secret.Value{"role": secret.New(k.RoleName), "jwt": token}, nil
}

// login returns a session of our own at address. It keeps the one it made.
func (b *Bootstrap) login(ctx context.Context, address string, keys store.Keys) (*vault.Session, error) {
	if b.own != nil && b.ownAt == address {
		return b.own, nil
	}
	credential, err := b.Login.Credential(keys)
	if err != nil {
		return nil, err
	}
	session, err := b.Doorman.Login(ctx, address, b.Login.Path(), credential)
	if err != nil {
		return nil, err
	}
	b.logout(ctx)
	b.own, b.ownAt = session, address
	b.Log.Debug("logged in", "path", b.Login.Path())
	return session, nil
}

// logoutTime is how long the end of a login may take: its token ends by itself.
const logoutTime = 3 * time.Second

// logout revokes the token of our own login, if there is one.
func (b *Bootstrap) logout(ctx context.Context) {
	if b.own == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTime)
	defer cancel()
	if err := b.own.RevokeSelf(ctx); err != nil && vault.StatusOf(err) != 403 {
		b.Log.Warn("the login's token could not be revoked, it ends by itself", "after", tokenLife, "error", err.Error())
	}
	b.own = nil
}

// Close ends what the run has open in Vault.
func (b *Bootstrap) Close(ctx context.Context) { b.logout(ctx) }

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
		"Waiting a while, since Vault gives the same answer when it cannot reach the Kubernetes API to review the token.")
}
