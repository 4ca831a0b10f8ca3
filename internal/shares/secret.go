package shares

import (
	"fmt"
	"strings"
)

// ourData is where a keys record of ours is in a Secret; the others are bank-vaults', as
// its Kubernetes key store names them: each share is in hex.
const (
	ourData      = "keys.json"
	unsealData   = "vault-unseal-"
	recoveryData = "vault-recovery-"
	rootData     = "vault-root"
)

// FromSecret reads the data of a Kubernetes Secret: a keys record of ours, or
// bank-vaults' layout.
func FromSecret(data map[string][]byte) (Material, error) {
	if record, ok := data[ourData]; ok {
		return readJSON(record)
	}
	unseal, recovery := numbered(data, unsealData), numbered(data, recoveryData)
	if len(unseal)+len(recovery) == 0 {
		return Material{}, fmt.Errorf("it holds neither %s nor %s0 or %s0", ourData, unsealData, recoveryData)
	}
	return labelled(unseal, recovery, string(data[rootData]))
}

// numbered returns what is under prefix0, prefix1 and so on.
func numbered(data map[string][]byte, prefix string) []string {
	var found []string
	for i := 0; ; i++ {
		value, ok := data[fmt.Sprintf("%s%d", prefix, i)]
		if !ok {
			return found
		}
		found = append(found, strings.TrimSpace(string(value)))
	}
}
