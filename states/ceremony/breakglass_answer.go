package ceremony

import (
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// EndpointClosed reports whether the server does not let us use an endpoint for key
// shares at all.
func EndpointClosed(err error) bool {
	switch httpstatus.Of(err) {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusBadRequest:
		return vault.Says(err, product.TokenMissing)
	default:
		return false
	}
}

// rootRefused is the error for a server that lets nobody generate a root token.
func rootRefused(address string, err error) error {
	if !EndpointClosed(err) {
		return fmt.Errorf("generating a root token at %s: %w", address, err)
	}
	return fault.Stop("break-glass refused", fmt.Errorf("%s does not let a root token be generated: %w", address, err), openEndpoint(err, "generate-root", "sys/generate-root/attempt", "sys/generate-root/update"))
}

// openEndpoint says how to make a server accept key shares. Vault 2.0 and later require a token.
func openEndpoint(err error, family string, paths ...string) string {
	if closedByListener(err) {
		return fmt.Sprintf("OpenBao: add a listener on a loopback address with disable_unauthed_%s_endpoints = false to the active node's configuration, or set it in the listener that there is. "+
			"Either takes a restart, after which the server must be unsealed. Run again with --vault-addr naming that listener, and revert it afterwards.", underscored(family))
	}
	policy := ""
	for _, path := range paths {
		policy += fmt.Sprintf("\n  path %q { capabilities = [\"read\", \"update\", \"delete\", \"sudo\"] }", path)
	}
	return fmt.Sprintf("Vault 2.0 and later require a token here. Either give one with --token-file whose policy says%s\nor set enable_unauthenticated_access = [%q] in the server's configuration, send it SIGHUP, and revert that afterwards.", policy, family)
}

// closedByListener reports whether err is the answer of an OpenBao whose listener does not serve the
// endpoint. It is 405 for most; for the rekey of recovery keys OpenBao 2.6.2 answers 404.
func closedByListener(err error) bool {
	status := httpstatus.Of(err)
	return status == http.StatusMethodNotAllowed || status == http.StatusNotFound && vault.Says(err, product.UnsupportedPath)
}

func underscored(family string) string {
	if family == "generate-root" {
		return "generate_root"
	}
	return family
}

// rootAnswer classifies the ways in which the last share fails, by the messages of Vault 1.21.
func rootAnswer(address string, err error) error {
	if vault.Says(err, product.RootAborted) || sharesWrong(err) {
		return fault.Misuse(fmt.Errorf("the key shares are not those of %s: %w", address, err),
			"No root token was generated. Vault cannot say which share is wrong. Check whether it was rekeyed since they were written down.")
	}
	return fmt.Errorf("generating a root token at %s: %w", address, err)
}
