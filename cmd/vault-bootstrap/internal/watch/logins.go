package watch

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/metrics"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// countingDialer counts the logins that fail.
type countingDialer struct {
	login.Dialer
	metrics *metrics.Metrics
}

// Login logs in.
func (d countingDialer) Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*vault.Session, error) {
	session, err := d.Dialer.Login(ctx, address, path, credential)
	if err != nil {
		d.metrics.LoginFailed()
	}
	return session, err
}
