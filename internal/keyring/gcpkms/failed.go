package gcpkms

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/rest"
)

// remedies says for each reason what a person can do.
var remedies = map[keyring.Reason]string{
	keyring.Unreachable:   "Check that Cloud KMS and the metadata server can be reached from here: the network policy, Private Google Access, a proxy. If it is Google that fails, wait.",
	keyring.Refused:       "Grant roles/cloudkms.cryptoKeyEncrypterDecrypter on the key to our service account. Cloud KMS must be enabled in the project, and a node's access scopes must include it.",
	keyring.NoCredential:  "Give this pod a service account of Google's with Workload Identity, or run it on a machine that has one.",
	keyring.Expired:       "Check which service account the metadata server gives tokens for, and that it is not disabled.",
	keyring.KeyUnknown:    "Check the resource name: the project, the location, the key ring and the key.",
	keyring.KeyDisabled:   "Enable the version of the key that the message names, with gcloud kms keys versions enable.",
	keyring.KeyDeleted:    "Restore the version of the key while its destruction is pending, with gcloud kms keys versions restore, and enable it. A version that is destroyed cannot be restored.",
	keyring.KeyUnsuitable: "Use a key whose purpose is ENCRYPT_DECRYPT, with a primary version.",
	keyring.WrongRegion:   "Check the location in the resource name and the endpoint: they must fit.",
	keyring.CannotDecrypt: "The wrap was changed, or is of another key or record. Restore the record from a backup, or open it with another of its recipients.",
	keyring.Corrupted:     "Check what stands between us and Cloud KMS, such as a proxy.",
}

// failure is an error as Google's APIs write it.
type failure struct {
	Error struct {
		Message string `json:"message"`
		Status  string `json:"status"`
	} `json:"error"`
}

// failed classifies an error of KMS or of the way to it.
func (r *Recipient) failed(doing string, err error, token string, sent request) error {
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
	message := said.Error.Message
	reason := reasonOf(answer.Status, said.Error.Status, message, doing)
	cause := error(answer)
	if message != "" {
		cause = errors.New(keyring.Said(said.Error.Status+": "+message, token, base64.StdEncoding.EncodeToString(sent.Plaintext)))
	}
	return keyring.Failed(r.Name(), doing, reason, cause, remedyOf(doing, reason))
}

func remedyOf(doing string, reason keyring.Reason) string {
	if doing == decrypting && reason == keyring.CannotDecrypt {
		return "It was changed, or another key has encrypted it, or it was encrypted with additional data."
	}
	return remedies[reason]
}

func reasonOf(code int, status, message, doing string) keyring.Reason {
	has := func(text string) bool { return strings.Contains(message, text) }
	switch {
	case code == http.StatusUnauthorized:
		return keyring.Expired
	case code == http.StatusForbidden:
		return keyring.Refused
	case has("request concerns location"):
		return keyring.WrongRegion
	case code == http.StatusNotFound:
		return keyring.KeyUnknown
	case code == http.StatusBadRequest && status == "FAILED_PRECONDITION" && has("DESTROY"):
		return keyring.KeyDeleted
	case code == http.StatusBadRequest && status == "FAILED_PRECONDITION":
		return keyring.KeyDisabled
	case code == http.StatusBadRequest && has("checksum"):
		return keyring.Corrupted
	case code == http.StatusBadRequest && doing != wrapping:
		return keyring.CannotDecrypt
	case code == http.StatusBadRequest:
		return keyring.KeyUnsuitable
	}
	return keyring.Unreachable
}
