package vault

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// renewable is a transport that can be replaced under the clients and sessions that use it.
type renewable struct {
	now atomic.Pointer[http.Transport]
}

// RoundTrip sends a request over the transport of the moment.
func (r *renewable) RoundTrip(request *http.Request) (*http.Response, error) {
	return r.now.Load().RoundTrip(request)
}

// CloseIdleConnections is what http.Client looks for.
func (r *renewable) CloseIdleConnections() { r.now.Load().CloseIdleConnections() }

// replace has later requests go over next. Those that are on their way end as they began.
func (r *renewable) replace(next *http.Transport) { r.now.Swap(next).CloseIdleConnections() }

// Renew reads the files of certificates and keys again, and has later requests connect with them,
// those of existing sessions, too. If they cannot be used, it changes nothing.
func (c *Cluster) Renew() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, _, err := newTransport(c.config); err != nil { // replicas that are not known yet need them, too
		return err
	}
	next := make([]*http.Transport, len(c.replicas))
	for i := range c.replicas {
		var err error
		if _, next[i], err = newTransport(c.config); err != nil {
			return err
		}
	}
	for i, replica := range c.replicas {
		if replica.transport != nil {
			replica.transport.replace(next[i])
		}
	}
	return nil
}

// newTransport returns the API's settings, and a transport with our certificates.
func newTransport(config Config) (*api.Config, *http.Transport, error) {
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return nil, nil, fault.Misuse(fmt.Errorf("reading the VAULT_* variables: %w", settings.Error), "Correct the variable, or unset it where a flag says the same.")
	}
	transport, ok := settings.HttpClient.Transport.(*http.Transport)
	if !ok {
		return nil, nil, fmt.Errorf("the Vault API's transport is a %T", settings.HttpClient.Transport)
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 32 // as many as calls in flight, so that no connection is made twice
	err := settings.ConfigureTLS(&api.TLSConfig{
		CACert: config.CACert, CACertBytes: []byte(config.CACertBytes), CAPath: config.CAPath,
		ClientCert: config.ClientCert, ClientKey: config.ClientKey,
		TLSServerName: config.TLSServerName, Insecure: config.SkipVerify,
	})
	if err != nil {
		return nil, nil, fault.Misuse(fmt.Errorf("setting up TLS: %w", err), "Check --ca-cert, --ca-path, --client-cert and --client-key: the files must exist, be readable and hold PEM.")
	}
	return settings, transport, nil
}
