package transit

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
)

// remedies says for each reason what a person can do.
var remedies = map[keyring.Reason]string{
	keyring.Unreachable:   "Check that the server is up and unsealed, that it can be reached from here, and which authority has signed its certificate.",
	keyring.Refused:       "Grant update on MOUNT/encrypt/KEY and on MOUNT/decrypt/KEY to the policy of our token. OpenBao says the same of a token that is expired: then renew it.",
	keyring.NoCredential:  "Check the file that the recipient's options or --keys-token-file name for this server, or the identity that the platform gives us.",
	keyring.Expired:       "Log in again, or renew what the token file holds.",
	keyring.KeyUnknown:    "Check the mount and the name of the key, and in which namespace they are. A key that was deleted cannot be restored, except from a backup of that server.",
	keyring.KeyDeleted:    "Restore the key with MOUNT/keys/KEY/soft-delete-restore.",
	keyring.KeyDisabled:   "Lower min_decryption_version or min_encryption_version of the key again: this version is excluded.",
	keyring.KeyUnsuitable: "Use a key of type aes256-gcm96 or chacha20-poly1305, which takes associated data.",
	keyring.CannotDecrypt: "The wrap was changed, or is of another key or record. Restore the record from a backup, or open it with another of its recipients.",
	keyring.Corrupted:     "Check what stands between us and the server, such as a proxy.",
}

// failed classifies an error of the server or of the way to it. secrets are what was sent.
func (r *Recipient) failed(doing string, err error, secrets ...string) error {
	answer, answered := errors.AsType[*api.ResponseError](err)
	if !answered {
		return keyring.Failed(r.Name(), doing, keyring.Unreachable, err, remedies[keyring.Unreachable])
	}
	text := strings.Join(answer.Errors, "; ")
	reason := reasonOf(answer.StatusCode, text)
	said := errors.New(http.StatusText(answer.StatusCode))
	if text != "" {
		said = errors.New(keyring.Said(text, secrets...))
	}
	return keyring.Failed(r.Name(), doing, reason, said, remedies[reason])
}

// texts are what the engine answers with status 400, with what it means. Seen on Vault 1.21.1 and
// OpenBao 2.6.2.
var texts = []struct {
	text   string
	reason keyring.Reason
}{
	{"encryption key not found", keyring.KeyUnknown},
	{"disallowed by policy", keyring.KeyDisabled},
	{"for non-AEAD cipher suite", keyring.KeyUnsuitable},
	{"soft-deleted", keyring.KeyDeleted},
	{"not supported", keyring.KeyUnsuitable},
}

func reasonOf(status int, text string) keyring.Reason {
	switch status {
	case http.StatusUnauthorized:
		return keyring.Expired
	case http.StatusForbidden:
		if strings.Contains(text, "invalid token") {
			return keyring.Expired
		}
		return keyring.Refused
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return keyring.KeyUnknown
	case http.StatusBadRequest:
		for _, known := range texts {
			if strings.Contains(text, known.text) {
				return known.reason
			}
		}
		return keyring.CannotDecrypt
	}
	return keyring.Unreachable
}
