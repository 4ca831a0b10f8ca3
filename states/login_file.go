package states

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// JWT logs in with a JSON Web Token of any issuer whose keys the auth method knows: its
// configuration is the seed's.
type JWT struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Subject and Audience are the claims that a token must have.
	Subject, Audience string
	// Token reads the token anew for each login.
	Token func() (secret.Value, error)
}

// Name returns the method's name.
func (j JWT) Name() string { return "jwt" }

// Objects returns the mount and the role, which takes tokens of our subject only.
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

// Settles returns some seconds: Vault may have to fetch the issuer's keys.
func (j JWT) Settles() time.Duration { return 5 * time.Second }

// Hint says what JWT auth needs.
func (j JWT) Hint() string {
	return fmt.Sprintf("The seed must configure the auth method %q with the issuer's keys (jwks_url, oidc_discovery_url or jwt_validation_pubkeys), and Vault must reach them. "+
		"The token must be of the subject %q and for the audience %q.", j.Mount, j.Subject, j.Audience)
}

// Flags returns the flags that choose this login.
func (j JWT) Flags() string { return "--login=jwt --login-path=" + j.Mount }

// Userpass logs in with a user of our own, whose password is in a file.
type Userpass struct {
	// Mount is the auth method's path, User the user's name.
	Mount, User string
	// Password reads the password.
	Password func() (secret.Value, error)
	// Known is the password as it was at the start, for the user's object.
	Known secret.Value
}

// Name returns the method's name.
func (u Userpass) Name() string { return "userpass" }

// Objects returns the mount and the user.
func (u Userpass) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(u.Mount, "userpass", nil),
		object.User(u.Mount, u.User, tokenFields(policy, map[string]any{"password": u.Known})),
	}
}

// Path returns the login's path.
func (u Userpass) Path() string { return u.Mount + "/login/" + u.User }

// Credential returns the password.
func (u Userpass) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	password, err := u.Password()
	return map[string]secret.Value{"password": password}, err
}

// Settles returns 0: Vault asks nobody else.
func (u Userpass) Settles() time.Duration { return 0 }

// Hint says what userpass needs.
func (u Userpass) Hint() string {
	return fmt.Sprintf("Look at the user %q of the auth method %q.", u.User, u.Mount)
}

// Flags returns the flags that choose this login.
func (u Userpass) Flags() string { return "--login=userpass --login-path=" + u.Mount }

// Cert logs in with the client certificate that the connection presents.
type Cert struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Trusted is the PEM certificate that a client's must be, or be signed by; CommonName
	// narrows it to the names of one client.
	Trusted, CommonName string
}

// Name returns the method's name.
func (c Cert) Name() string { return "cert" }

// Objects returns the mount and the role.
func (c Cert) Objects(policy string) []object.Object {
	fields := map[string]any{"certificate": c.Trusted}
	if c.CommonName != "" {
		fields["allowed_common_names"] = []any{c.CommonName}
	}
	return []object.Object{
		object.AuthMount(c.Mount, "cert", nil),
		object.Role(c.Mount, "cert", c.RoleName, tokenFields(policy, fields)),
	}
}

// Path returns the login's path.
func (c Cert) Path() string { return c.Mount + "/login" }

// Credential returns the role's name: the rest is in the connection.
func (c Cert) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	return map[string]secret.Value{"name": secret.New(c.RoleName)}, nil
}

// Settles returns 0: Vault asks nobody else, unless it checks for revocation.
func (c Cert) Settles() time.Duration { return 0 }

// Hint says what cert auth needs.
func (c Cert) Hint() string {
	return "Vault's listener must ask for client certificates (tls_disable_client_certs is not set), and nothing in between may end TLS."
}

// Flags returns the flags that choose this login.
func (c Cert) Flags() string { return "--login=cert --login-path=" + c.Mount }

// TokenFile works with a token that somebody else keeps alive in a file, such as Vault
// Agent. It is not ours to revoke.
type TokenFile struct {
	// Token reads the token anew for each run.
	Token func() (secret.Value, error)
	// Policy is the one that the token must carry.
	Policy string
}

// Name returns the method's name.
func (t TokenFile) Name() string { return "token-file" }

// Objects returns nothing: whoever makes the token decides how.
func (t TokenFile) Objects(string) []object.Object { return nil }

// Path returns nothing: there is no login.
func (t TokenFile) Path() string { return "" }

// Credential returns the token.
func (t TokenFile) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	token, err := t.Token()
	return map[string]secret.Value{"token": token}, err
}

// Settles returns some seconds: the file may be about to be renewed.
func (t TokenFile) Settles() time.Duration { return 5 * time.Second }

// Hint says what the token needs.
func (t TokenFile) Hint() string {
	return fmt.Sprintf("The token in the file must be alive, an orphan, and carry the policy %q.", t.Policy)
}

// Flags returns the flags that choose this login.
func (t TokenFile) Flags() string { return "--login=token-file" }
