package states

import (
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Ceremonies says whether our own login may reach the endpoints that take key shares, on servers
// that ask for a token there: Vault since 2.0, OpenBao since 2.5. Without it, generating a root
// token and exchanging the key shares need the token of somebody else.
type Ceremonies int

const (
	// CeremoniesAuto allows it where the keys record holds the shares: who can log in as we do
	// usually can read that record, too. Where operators hold the shares, a login that may begin or
	// cancel a ceremony is not worth what the record is worth.
	CeremoniesAuto Ceremonies = iota
	// CeremoniesAlways allows it where operators hold the shares as well.
	CeremoniesAlways
	// CeremoniesNever allows it nowhere.
	CeremoniesNever
)

var ceremoniesNames = [...]string{"auto", "always", "never"}

// ParseCeremonies reads what --ceremonies says.
func ParseCeremonies(text string) (Ceremonies, error) {
	for i, name := range ceremoniesNames {
		if text == name {
			return Ceremonies(i), nil
		}
	}
	return CeremoniesAuto, fault.Misuse(fmt.Errorf("--ceremonies=%q is none of auto, always and never", text), "Omit the flag for auto: our login may use the endpoints that take key shares if the record holds the shares.")
}

func (c Ceremonies) allowed(holdsShares bool) bool {
	return c == CeremoniesAlways || c == CeremoniesAuto && holdsShares
}
