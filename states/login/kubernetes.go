package login

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Kubernetes logs in with a projected service account token.
type Kubernetes struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Host is the URL at which Vault reaches the Kubernetes API.
	Host string
	// ServiceAccount and Namespace name the account that may log in.
	ServiceAccount, Namespace string
	// Audience is the one that the token was issued for.
	Audience string
	// Token reads the token. It is read for each login, since the kubelet renews it.
	Token func() (secret.Value, error)
}

// Objects returns the mount, its configuration and the role. Vault reviews tokens with its own
// service account, so it stores no reviewer token.
func (k Kubernetes) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(k.Mount, "kubernetes", nil),
		object.AuthConfig(k.Mount, "kubernetes", map[string]any{"kubernetes_host": k.Host}),
		object.Role(k.Mount, "kubernetes", k.RoleName, tokenFields(policy, map[string]any{
			"bound_service_account_names":      []any{k.ServiceAccount},
			"bound_service_account_namespaces": []any{k.Namespace},
			"audience":                         k.Audience,
		})),
	}
}

// Path returns the login's path.
func (k Kubernetes) Path() string { return k.Mount + "/login" }

// Open logs in with the token as it is now.
func (k Kubernetes) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, k, keys)
}

// Settles returns some seconds: Vault also answers 'permission denied' when it could not reach the
// Kubernetes API to review the token.
func (k Kubernetes) Settles() time.Duration { return 15 * time.Second }

// Denied says what 'permission denied' means: Vault also answers that when it could not ask the
// Kubernetes API.
func (k Kubernetes) Denied() (part, remedy string) {
	_, path := defaultDenied()
	return "Vault does not reach the Kubernetes API, may not review tokens there, or got the answer that the token is invalid; or no auth method is mounted at this path",
		"check the network from Vault to the Kubernetes API; Vault's service account needs the ClusterRole system:auth-delegator; the token may be of another cluster; " + path
}

// Reader returns the same method with the role that only reads.
func (k Kubernetes) Reader() Method {
	k.RoleName += ReadSuffix
	return k
}

// Hint says what Kubernetes auth needs.
func (k Kubernetes) Hint() string {
	return fmt.Sprintf("Vault must reach the Kubernetes API at %s and be allowed to review tokens there: its service account needs the ClusterRole system:auth-delegator (the official chart's server.authDelegator). "+
		"Our token must be of the service account %s/%s and for the audience %q.", k.Host, k.Namespace, k.ServiceAccount, k.Audience)
}

// Flags returns the flags that choose this login.
func (k Kubernetes) Flags() string { return "--login=kubernetes --login-path=" + k.Mount }

// Credential returns the role's name and the token.
func (k Kubernetes) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	token, err := k.Token()
	if err != nil {
		return nil, err
	}
	return map[string]secret.Value{"role": secret.New(k.RoleName), "jwt": token}, nil
}

// Name returns the method's name.
func (k Kubernetes) Name() string { return "kubernetes" }
