package ceremony

import (
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// WaitForCustodians is the error for a sealed replica whose shares only their custodians can
// decrypt.
func WaitForCustodians(address string, set store.KeySet, waits bool) error {
	owners := make([]string, len(set.Custody))
	for i, share := range set.Custody {
		owners[i] = ownerOf(share)
	}
	reason := fmt.Errorf("%s is sealed, and %d of these custodians must unseal it: %s", address, set.Threshold, strings.Join(owners, ", "))
	how := fmt.Sprintf("Each takes their own share from the keys record ('set.custody', and 'rotation.set.custody' while a rotation is unsettled), decrypts it ('base64 -d | gpg --decrypt'), and gives it to 'vault operator unseal' at %s. Nobody else can decrypt a share.", address)
	if waits {
		return fault.Wait(reason, "Waiting for them. "+how)
	}
	return fault.Stop("custodians must unseal", reason, how+" Then run again, or run with --wait-for-unseal.")
}
