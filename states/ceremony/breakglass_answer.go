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

// rootRefused is the error for a server that does not let us generate a root token.
func rootRefused(address string, via vault.Endpoints, err error) error {
	if !EndpointClosed(err) {
		return fmt.Errorf("generating a root token at %s: %w", address, err)
	}
	return fault.Stop("break-glass refused", fmt.Errorf("%s does not let a root token be generated: %w", address, err), opening(via, err, "generate-root", via.RootPaths()))
}

// rootAnswer classifies the ways in which the last share fails, by the messages of Vault 1.21.
func rootAnswer(address string, err error) error {
	if vault.Says(err, product.RootAborted) || sharesWrong(err) {
		return fault.Misuse(fmt.Errorf("the key shares are not those of %s: %w", address, err),
			"No root token was generated, and Vault cannot say which share is wrong. Check whether it was rekeyed since they were written down.")
	}
	return fmt.Errorf("generating a root token at %s: %w", address, err)
}
