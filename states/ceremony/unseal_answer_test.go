package ceremony

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

func answered(status int, words string) error {
	return fmt.Errorf("doing: %w", &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}})
}

func TestUnsealAnswer(t *testing.T) {
	for words, want := range map[string]fsm.SymptomKind{
		"failed to setup audit table": fsm.AuditBlocks,
		// OpenBao 2.6.2, of stanzas in its configuration.
		"failed to validate audit device config file/: modifications to audit devices are not allowed: x": fsm.AuditBlocks,
		"failed to create new audit device file/: sanity check failed; unable to open":                    fsm.AuditBlocks,
		"cipher: message authentication failed":                                                           fsm.SharesRefused,
		"failed to decrypt keys from storage":                                                             fsm.SharesRefused,
		"'key' must be a valid hex or base64 string":                                                      fsm.SharesRefused,
		"local node not active but active cluster node not found":                                         "",
		"context deadline exceeded":                                                                       "",
		"failed to create cipher: crypto/aes: invalid key size 0":                                         "",
	} {
		err := unsealAnswer("a", answered(500, words))
		symptom, ok := errors.AsType[*fsm.Symptom](err)
		if ok != (want != "") || ok && symptom.Kind != want {
			t.Errorf("%q: %v", words, err)
		}
	}
}
