package ceremony

import (
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Rights say whether our own login may reach the endpoints that take key shares, on servers
// that ask for a token there: Vault since 2.0, OpenBao since 2.5. Without it, generating a root
// token and exchanging the key shares need the token of somebody else.
type Rights int

const (
	// RightsAuto allows it where the keys record holds the shares: who can log in as we do
	// usually can read that record, too. Where operators hold the shares, a login that may begin or
	// cancel a ceremony is not worth what the record is worth.
	RightsAuto Rights = iota
	// RightsAlways allows it where operators hold the shares as well.
	RightsAlways
	// RightsNever allows it nowhere.
	RightsNever
)

var rightsNames = [...]string{"auto", "always", "never"}

// ParseRights reads what --ceremonies says.
func ParseRights(text string) (Rights, error) {
	for i, name := range rightsNames {
		if text == name {
			return Rights(i), nil
		}
	}
	return RightsAuto, fault.Misuse(fmt.Errorf("--ceremonies=%q is none of auto, always and never", text), "Omit the flag for auto: our login may use the endpoints that take key shares if the record holds the shares.")
}

// Allow reports whether our login may, with a record that holds the shares or one that does not.
func (r Rights) Allow(holdsShares bool) bool {
	return r == RightsAlways || r == RightsAuto && holdsShares
}
