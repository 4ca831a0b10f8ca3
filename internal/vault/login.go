package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Login exchanges a credential for a session at the replica at address. path is the auth method's
// mount and what follows it ("approle/login"); the credential's values go into the body only.
func (c *Cluster) Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*Session, error) {
	session, err := c.Session(address, secret.Value{})
	if err != nil {
		return nil, err
	}
	body := make(map[string]any, len(credential))
	for key, value := range credential {
		body[key] = value.Reveal()
	}
	answer, err := session.repeat(ctx, func(ctx context.Context) (*api.Secret, error) {
		return session.client.Logical().WriteWithContext(ctx, "auth/"+path, body)
	})
	return c.admitted(address, answer, err)
}

// admitted returns a session with the token of a login's answer.
func (c *Cluster) admitted(address string, answer *api.Secret, err error) (*Session, error) {
	if err != nil {
		return nil, fmt.Errorf("logging in: %w", err)
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		return nil, errors.New("logging in: Vault's answer holds no token")
	}
	return c.Session(address, secret.New(answer.Auth.ClientToken))
}
