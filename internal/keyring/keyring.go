// Package keyring encrypts a small key, the data key of a record, for those who may open the
// record: its recipients. Each of them wraps the data key, and any one of them can unwrap it.
//
// This package says what a recipient is, reads how one is written, and names what can go wrong. The
// recipients are in the packages below, one for each kind of service, so that nobody links a
// service's client without using it; internal/keyring/recipients makes them all. None of these
// packages knows what a record is, how we log in to Vault, or what is done about an error: the
// caller hands in names to bind a wrap to, and credentials.
package keyring

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Context says what a wrap belongs to, such as the name of the record and the ID of the data key. It
// is not secret: services write it to their audit logs. A wrap opens only with the context that it
// was made with. Names and values are UTF-8 without control characters, and names are not empty.
type Context = map[string]string

// Recipient is one who can open what was encrypted for it: a key of a KMS, or of a person.
//
// Errors of both methods are of type *fault.Error, with a remedy, and have a Reason in their chain.
// Neither method tries again what has failed, except as far as a service's own client does, and
// both end when ctx does. A recipient may be used by several goroutines.
type Recipient interface {
	// Name returns the recipient as it is written on the command line, in canonical form. It is
	// neither secret nor changed by a new version of the key.
	Name() string
	// Wrap encrypts a key of 1 to MaxKey bytes, which may be any bytes. wrapped is all that Unwrap
	// needs, at most MaxWrap bytes in a format of the recipient's own; version identifies the
	// version of the recipient's key that was used, for people, and is empty where the recipient
	// does not say.
	Wrap(ctx context.Context, key secret.Value, about Context) (wrapped []byte, version string, err error)
	// Unwrap decrypts what Wrap has returned. It fails with CannotDecrypt if wrapped was changed,
	// was made by another recipient, or with another context; and with NoIdentity if this process
	// has only the public part of the recipient, as with an escrow.
	Unwrap(ctx context.Context, wrapped []byte, about Context) (secret.Value, error)
}

// Server is a recipient that is a Vault or an OpenBao itself.
type Server interface {
	Recipient
	// ClusterID returns the ID of the server's cluster, so that a caller can refuse to have a
	// server keep the keys that unseal it. It needs no credential, and fails with Unreachable
	// while the server is sealed or not initialized: such a server has none.
	ClusterID(ctx context.Context) (string, error)
}

// Decrypter is a recipient whose key may have encrypted what other programs keep.
type Decrypter interface {
	Recipient
	// Decrypt decrypts what another program has had the same key encrypt, in the format of the service:
	// at most MaxWrap bytes. about is the service's own encryption context of it, which a service
	// without one does not take. Its errors are those of Unwrap.
	Decrypt(ctx context.Context, ciphertext []byte, about Context) (secret.Value, error)
}

const (
	// MaxKey is the most bytes that a key to be wrapped may have. An RSA key of 2048 bits, the
	// smallest of Azure Key Vault, takes no more beside the digest of the context.
	MaxKey = 64
	// MaxWrap bounds the size of a wrap, in bytes, so that a record's size is known in advance.
	MaxWrap = 8 << 10
)
