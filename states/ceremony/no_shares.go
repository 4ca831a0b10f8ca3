package ceremony

import (
	"errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// RefuseWithoutShares fails if the server was initialized without recovery keys: then there is
// nothing to generate a root token from, and nothing to exchange.
func RefuseWithoutShares(keys store.Keys) error {
	if keys.Set == nil || !keys.Set.Shareless() {
		return nil
	}
	return fault.Misuse(errors.New("this server has no recovery keys: it was initialized with --recovery-shares=0"),
		"Nothing was changed. Our own login does what a run does; the rest takes an administrator's token.")
}
