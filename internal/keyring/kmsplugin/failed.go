package kmsplugin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// remedies says for each reason what a person can do.
var remedies = map[keyring.Reason]string{
	keyring.Unreachable:   "Check that the plugin runs, what its log says, and that its socket is mounted here. If the plugin cannot reach its KMS, wait.",
	keyring.Refused:       "Let this user read and write the plugin's socket, and the plugin use its key.",
	keyring.Expired:       "Renew the credential that the plugin has for its KMS.",
	keyring.KeyUnknown:    "Check the configuration of the plugin: its KMS does not know the key.",
	keyring.KeyDisabled:   "Enable the key of the plugin, or make it ready as its log says.",
	keyring.KeyUnsuitable: "The plugin must speak KMS v2 of Kubernetes and encrypt up to 96 bytes. See its log.",
	keyring.CannotDecrypt: "The wrap was changed, or is of another key or record. Restore the record from a backup, or open it with another of its recipients.",
	keyring.Corrupted:     "See the plugin's log: its answer is not as the protocol has it.",
}

// reasons are what codes of gRPC mean. Those that are not listed mean that the plugin cannot at the
// moment; statusUnknown and others that plugins use for everything are judged by failed.
var reasons = map[int]keyring.Reason{
	statusPermissionDenied: keyring.Refused, statusUnauthenticated: keyring.Expired, statusNotFound: keyring.KeyUnknown,
	statusFailedPrecondition: keyring.KeyDisabled, statusUnimplemented: keyring.KeyUnsuitable,
}

// failed classifies an error of the plugin or of the way to it. sent are the secrets in the call.
func (r *Recipient) failed(ctx context.Context, doing string, err error, sent ...secret.Value) error {
	answer, answered := errors.AsType[*status](err)
	if !answered {
		reason := keyring.Unreachable
		if errors.Is(err, fs.ErrPermission) {
			reason = keyring.Refused
		}
		return keyring.Failed(r.Name(), doing, reason, err, remedies[reason])
	}
	reason, known := reasons[answer.code]
	switch answer.code {
	case statusUnknown, statusInvalidArgument, statusInternal, statusOutOfRange, statusDataLoss:
		// Most plugins answer so to whatever fails, also to a KMS that is away. They are asked
		// regularly how they are, and know that better.
		if unhealthy := r.healthy(ctx); unhealthy != nil {
			return keyring.Failed(r.Name(), doing, keyring.Unreachable, fmt.Errorf("%w, and its status: %w", r.said(answer, sent), unhealthy), remedies[keyring.Unreachable])
		}
		if reason, known = keyring.KeyUnsuitable, true; doing == unwrapping {
			reason = keyring.CannotDecrypt
		}
	}
	if !known {
		reason = keyring.Unreachable
	}
	return keyring.Failed(r.Name(), doing, reason, r.said(answer, sent), remedies[reason])
}

// said returns what a plugin has answered, without what it was sent.
func (r *Recipient) said(answer *status, sent []secret.Value) error {
	var hidden []string
	for _, value := range sent {
		text := value.Reveal()
		hidden = append(hidden, text, base64.StdEncoding.EncodeToString([]byte(text)), fmt.Sprintf("%x", text), fmt.Sprintf("%q", text))
	}
	return fmt.Errorf("%w: %s", answer, keyring.Said(answer.message, hidden...))
}
