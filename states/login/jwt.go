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

// JWT logs in with a JSON Web Token of any issuer whose keys the auth method knows: the seed
// configures it.
type JWT struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Subject and Audience are the claims that a token must have.
	Subject, Audience string
	// Token reads the token again for each login.
	Token func() (secret.Value, error)
}

// Name returns the method's name.
func (j JWT) Name() string { return "jwt" }

// Objects returns the mount and the role, which accepts only tokens of our subject.
func (j JWT) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(j.Mount, "jwt", nil),
		object.Role(j.Mount, "jwt", j.RoleName, tokenFields(policy, map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_subject": j.Subject, "bound_audiences": []any{j.Audience},
		})),
	}
}

// Path returns the login's path.
func (j JWT) Path() string { return j.Mount + "/login" }

// Credential returns the role's name and the token.
func (j JWT) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	token, err := j.Token()
	return map[string]secret.Value{"role": secret.New(j.RoleName), "jwt": token}, err
}

// Open logs in with the token as it is now.
func (j JWT) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, j, keys)
}

// Settles returns some seconds: Vault may have to fetch the issuer's keys.
func (j JWT) Settles() time.Duration { return 5 * time.Second }

// Denied says what 'permission denied' means.
func (j JWT) Denied() (part, remedy string) { return defaultDenied() }

// Reader returns the same method with the role that only reads.
func (j JWT) Reader() Method {
	j.RoleName += ReadSuffix
	return j
}

// Hint says what JWT auth needs.
func (j JWT) Hint() string {
	return fmt.Sprintf("The seed must configure the auth method %q with the issuer's keys (jwks_url, oidc_discovery_url or jwt_validation_pubkeys), and Vault must reach them. "+
		"The token must be of the subject %q and for the audience %q.", j.Mount, j.Subject, j.Audience)
}

// Flags returns the flags that choose this login.
func (j JWT) Flags() string { return "--login=jwt --login-path=" + j.Mount }
