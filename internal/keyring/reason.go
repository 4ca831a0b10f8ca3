package keyring

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Reason says why a recipient could not do what it was asked for. It is a sentinel: errors.Is(err,
// keyring.Refused).
type Reason string

// The reasons.
const (
	// Unreachable means that the service did not answer, or said that it cannot at the moment.
	// It is the only one that is likely to pass by itself.
	Unreachable Reason = "cannot be reached"
	// Refused means that our identity lacks a permission on the key.
	Refused Reason = "permission denied"
	// NoCredential means that there is nothing to log in with.
	NoCredential Reason = "no credential" //nolint:gosec // it is none
	// Expired means that the credential is expired, revoked or not valid.
	Expired Reason = "credential not accepted"
	// KeyUnknown means that the service has no such key, or none that we may know of.
	KeyUnknown Reason = "no such key"
	// KeyDisabled means that the key exists and was disabled: it can be enabled again.
	KeyDisabled Reason = "key disabled"
	// KeyDeleted means that the key is deleted or about to be.
	KeyDeleted Reason = "key deleted"
	// KeyUnsuitable means that the key is of a type or for a purpose that does not fit.
	KeyUnsuitable Reason = "key unsuitable"
	// WrongRegion means that the key is not in the region that was asked.
	WrongRegion Reason = "wrong region"
	// CannotDecrypt means that the service works and does not decrypt this wrap: it was changed, or
	// is not for this key, or was made for something else.
	CannotDecrypt Reason = "cannot decrypt"
	// NoIdentity means that this process has only the recipient's public part.
	NoIdentity Reason = "no identity"
	// Corrupted means that an answer was not what the service had sent or we had asked for.
	Corrupted Reason = "corrupted on the way"
)

// Error returns the reason in words.
func (r Reason) Error() string { return string(r) }

// Failed returns the error of a recipient. name is the recipient's, doing a gerund ('wrapping the
// key'), cause may be nil, and remedy has at most two sentences. None of them may hold a secret.
//
// It is of kind fault.Transient if the reason is likely to pass, else fault.Terminal. It has no name
// for the runbook: only the caller knows what it means that one recipient fails.
func Failed(name, doing string, reason Reason, cause error, remedy string) error {
	kind := fault.Terminal
	if reason == Unreachable || reason == Corrupted {
		kind = fault.Transient
	}
	err := fmt.Errorf("%s with %q: %w", doing, name, reason)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &fault.Error{Kind: kind, Err: err, Remedy: remedy}
}

// Unauthenticated returns the error of a recipient for which no credential could be had. err may
// have a Reason in its chain, which stays; else it is Unreachable if whoever gives the credential did
// not answer, and NoCredential if not.
func Unauthenticated(name, doing string, err error, remedy string) error {
	reason := NoCredential
	_, network := errors.AsType[net.Error](err)
	if known, ok := errors.AsType[Reason](err); ok {
		reason = known
	} else if network || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		reason = Unreachable
	}
	return Failed(name, doing, reason, err, remedy)
}
