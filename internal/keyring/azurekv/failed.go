package azurekv

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/rest"
)

// remedies says for each reason what a person can do.
var remedies = map[keyring.Reason]string{
	keyring.Unreachable:   "Check that the Key Vault and Entra can be reached from here: the network policy, a private endpoint, a proxy. If it is Azure that fails, wait.",
	keyring.Refused:       "Grant the role Key Vault Crypto Service Encryption User on the key to our identity, or wrapKey and unwrapKey in an access policy. The vault's firewall must let us in, too.",
	keyring.NoCredential:  "Give this pod an identity with AKS' Workload Identity, or run it on a machine with a managed identity.",
	keyring.Expired:       "Check the tenant of our identity and of the Key Vault: they must be the same.",
	keyring.KeyUnknown:    "Check the URL: the Key Vault and the name of the key.",
	keyring.KeyDisabled:   "Enable the version of the key, and check the dates between which it is valid.",
	keyring.KeyDeleted:    "Recover the key while it is deleted softly, with az keyvault key recover. A key that was purged cannot be restored.",
	keyring.KeyUnsuitable: "Use an RSA key that may be used for wrapKey and unwrapKey.",
	keyring.CannotDecrypt: "The wrap was changed, or is of another key or record. Restore the record from a backup, or open it with another of its recipients.",
	keyring.Corrupted:     "Check what stands between us and the Key Vault, such as a proxy.",
}

// failure is an error as Key Vault writes it.
type failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   struct {
			Code string `json:"code"`
		} `json:"innererror"`
	} `json:"error"`
}

// failed classifies an error of the service or of the way to it.
func (r *Recipient) failed(doing string, err error, secrets ...string) error {
	answer, answered := errors.AsType[*rest.Answer](err)
	switch {
	case errors.Is(err, rest.ErrMalformed):
		return keyring.Failed(r.Name(), doing, keyring.Corrupted, err, remedies[keyring.Corrupted])
	case !answered:
		return keyring.Failed(r.Name(), doing, keyring.Unreachable, err, remedies[keyring.Unreachable])
	}
	var said failure
	if json.Unmarshal(answer.Content, &said) != nil {
		said = failure{}
	}
	reason := reasonOf(answer.Status, said, doing)
	cause := error(answer)
	if said.Error.Code != "" {
		code := strings.TrimSuffix(said.Error.Code+"/"+said.Error.Inner.Code, "/")
		cause = errors.New(keyring.Said(code+": "+said.Error.Message, secrets...))
	}
	return keyring.Failed(r.Name(), doing, reason, cause, remedies[reason])
}

// inner are the codes that say more than the status does.
var inner = map[string]keyring.Reason{
	"KeyDisabled": keyring.KeyDisabled, "KeyExpired": keyring.KeyDisabled, "KeyNotYetValid": keyring.KeyDisabled,
	"ObjectIsDeletedButRecoverable": keyring.KeyDeleted, "ObjectIsBeingDeleted": keyring.KeyDeleted,
	"KeyOperationForbidden": keyring.KeyUnsuitable,
}

func reasonOf(status int, said failure, doing string) keyring.Reason {
	for _, code := range []string{said.Error.Inner.Code, said.Error.Code} {
		if reason, known := inner[code]; known {
			return reason
		}
	}
	switch status {
	case http.StatusUnauthorized:
		return keyring.Expired
	case http.StatusForbidden:
		return keyring.Refused
	case http.StatusNotFound:
		return keyring.KeyUnknown
	case http.StatusConflict:
		return keyring.KeyDeleted
	case http.StatusBadRequest:
		if doing == unwrapping {
			return keyring.CannotDecrypt
		}
		return keyring.KeyUnsuitable
	}
	return keyring.Unreachable
}
