package job

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// tlsRisks describes what in the connection to Vault lets others read the keys.
func tlsRisks(config vault.Config) []string {
	var found []string
	if config.SkipVerify {
		found = append(found, "Vault's certificate is not verified: anybody in between can read the keys")
	}
	for _, address := range config.Addresses {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Scheme != "http" {
			continue
		}
		if ip := net.ParseIP(parsed.Hostname()); parsed.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			found = append(found, "keys and tokens cross the network unencrypted: "+address+" is not https")
		}
	}
	return found
}

// checkTLS refuses, with --require-tls, what lets others read the keys.
func (o *VaultOptions) checkTLS(found *Servers) error {
	risks := tlsRisks(found.reached())
	if !o.RequireTLS || len(risks) == 0 {
		return nil
	}
	return fault.Misuse(errors.New("--require-tls: "+strings.Join(risks, "; ")),
		"Nothing was sent. Give https:// addresses (or --vault-scheme=https) and the CA of the certificate with --ca-cert, or omit --require-tls.")
}
