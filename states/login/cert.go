package login

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

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

// Open logs in with the certificate of the connection.
func (c Cert) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, c, keys)
}

// Settles returns 0: Vault asks nobody else, unless it checks for revocation.
func (c Cert) Settles() time.Duration { return 0 }

// Denied says what 'permission denied' means.
func (c Cert) Denied() (part, remedy string) { return defaultDenied() }

// Reader returns the same method with the role that only reads.
func (c Cert) Reader() Method {
	c.RoleName += ReadSuffix
	return c
}

// Hint says what cert auth needs.
func (c Cert) Hint() string {
	return "Vault's listener must ask for client certificates (tls_disable_client_certs is not set), and nothing in between may terminate TLS."
}

// Flags returns the flags that choose this login.
func (c Cert) Flags() string { return "--login=cert --login-path=" + c.Mount }
