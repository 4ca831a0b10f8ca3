package awskms

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
)

// remedies says for each reason what a person can do.
var remedies = map[keyring.Reason]string{
	keyring.Unreachable:   "Check that KMS can be reached from here: the network policy, a VPC endpoint, a proxy. If it is AWS that fails, wait.",
	keyring.Refused:       "Grant kms:Encrypt and kms:Decrypt on the key to our role, in its policy or the key's. A condition on the encryption context must match ours.",
	keyring.NoCredential:  "Give this pod a role (IRSA or EKS Pod Identity), or credentials in the environment or a profile. A role of the instance needs access to 169.254.169.254.",
	keyring.Expired:       "Renew the credential. If it is new, check this machine's clock.",
	keyring.KeyUnknown:    "Check the ARN: its region, its account and the key's ID.",
	keyring.KeyDisabled:   "Enable the key again: aws kms enable-key.",
	keyring.KeyDeleted:    "Cancel its deletion while it is pending, with aws kms cancel-key-deletion, and enable it. A key that is gone cannot be restored.",
	keyring.KeyUnsuitable: "Use a symmetric key whose usage is ENCRYPT_DECRYPT.",
	keyring.WrongRegion:   "Check the region in the ARN and the endpoint: they must be of one region.",
	keyring.CannotDecrypt: "The wrap was changed, or is of another key or record. Restore the record from a backup, or open it with another of its recipients.",
	keyring.Corrupted:     "Check what stands between us and KMS, such as a proxy.",
}

// codes are those of KMS' errors, and those common to all of AWS, with what they mean.
var codes = map[string]keyring.Reason{
	"AccessDeniedException": keyring.Refused, "AccessDenied": keyring.Refused, "OptInRequired": keyring.Refused,
	"ExpiredTokenException": keyring.Expired, "ExpiredToken": keyring.Expired, "RequestExpired": keyring.Expired,
	"UnrecognizedClientException": keyring.Expired, "InvalidClientTokenId": keyring.Expired, "InvalidSignatureException": keyring.Expired,
	"SignatureDoesNotMatch": keyring.Expired, "IncompleteSignature": keyring.Expired, "MissingAuthenticationToken": keyring.Expired,
	"InvalidIdentityToken": keyring.Expired, "IDPRejectedClaim": keyring.Expired,
	"NotFoundException": keyring.KeyUnknown, "InvalidArnException": keyring.KeyUnknown,
	"DisabledException": keyring.KeyDisabled, "KMSInvalidStateException": keyring.KeyDisabled,
	"InvalidKeyUsageException": keyring.KeyUnsuitable, "UnsupportedOperationException": keyring.KeyUnsuitable,
	"InvalidCiphertextException": keyring.CannotDecrypt, "IncorrectKeyException": keyring.CannotDecrypt, "ValidationException": keyring.CannotDecrypt,
	"SerializationException": keyring.Corrupted,
}

// failed classifies an error of KMS or of the way to it. KMS repeats in its messages who asks, for
// what, with which key, and nothing of the content.
func (r *Recipient) failed(doing string, err error) error {
	answer, answered := errors.AsType[smithy.APIError](err)
	if !answered {
		return keyring.Failed(r.Name(), doing, keyring.Unreachable, err, remedies[keyring.Unreachable])
	}
	reason, known := codes[answer.ErrorCode()]
	message := answer.ErrorMessage()
	switch {
	case !known:
		reason = keyring.Unreachable // throttling, and what fails inside of KMS
	case reason == keyring.KeyDisabled && strings.Contains(message, "pending deletion"):
		reason = keyring.KeyDeleted
	case strings.Contains(message, "Invalid arn"), strings.Contains(message, "scoped to a valid region"), strings.Contains(message, "scoped to correct region"):
		reason = keyring.WrongRegion
	case reason == keyring.CannotDecrypt && doing == wrapping:
		reason = keyring.KeyUnsuitable
	}
	return keyring.Failed(r.Name(), doing, reason, errors.New(keyring.Said(answer.ErrorCode()+": "+message)), remedyOf(doing, reason))
}

// notOfKey is the remedy for what another program has had encrypted.
const notOfKey = "It was changed, or another key has encrypted it, or the encryption context is not the one that it was encrypted with."

func remedyOf(doing string, reason keyring.Reason) string {
	if doing == decrypting && reason == keyring.CannotDecrypt {
		return notOfKey
	}
	return remedies[reason]
}

// unauthenticated says what an error about credentials means, as far as AWS' client knows; else "".
func unauthenticated(err error) keyring.Reason {
	if answer, ok := errors.AsType[smithy.APIError](err); ok && codes[answer.ErrorCode()] == keyring.Expired {
		return keyring.Expired
	}
	// The client asks the instance last, so outside of AWS there is always an error of the network
	// below this one (config 1.33).
	if strings.Contains(err.Error(), "no EC2 IMDS role found") {
		return keyring.NoCredential
	}
	return ""
}
