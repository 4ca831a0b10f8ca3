package storetest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
)

// ErrNoIdentity is what a Recipient that is an escrow answers to Unwrap.
var ErrNoIdentity = errors.New("no identity")

// Recipient wraps keys with AES-GCM under a key of its own, which it makes of its name. It counts
// its calls, and can be made to fail.
type Recipient struct {
	Called string // its name

	mu     sync.Mutex
	fails  error
	escrow bool
	wraps  int
	opens  int
}

// NewRecipient returns a recipient with a name.
func NewRecipient(name string) *Recipient { return &Recipient{Called: name} }

// NewEscrow returns a recipient with a name that cannot unwrap here.
func NewEscrow(name string) *Recipient { return &Recipient{Called: name, escrow: true} }

// NewRing returns a ring of recipients.
func NewRing(recipients ...*Recipient) sealed.Ring {
	ring := sealed.Ring{NoIdentity: ErrNoIdentity, Now: func() time.Time { return time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC) }}
	for _, recipient := range recipients {
		ring.Recipients = append(ring.Recipients, recipient)
	}
	return ring
}

// Fail makes the next calls fail with err; nil ends that.
func (r *Recipient) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = err
}

// Away is an error of a recipient that does not answer.
func (r *Recipient) Away() error {
	return fault.Wait(fmt.Errorf("with %q: cannot be reached", r.Called), "Waiting for it.")
}

// Refuses is an error of a recipient that answers and does not do it.
func (r *Recipient) Refuses() error {
	return fault.Stop("", fmt.Errorf("with %q: permission denied", r.Called), "Grant it.")
}

// Calls returns how many keys it was asked to wrap and to unwrap.
func (r *Recipient) Calls() (wraps, unwraps int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wraps, r.opens
}

// Name returns its name.
func (r *Recipient) Name() string { return r.Called }

// Wrap encrypts a key.
func (r *Recipient) Wrap(_ context.Context, key secret.Value, about map[string]string) ([]byte, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wraps++
	if r.fails != nil {
		return nil, "", r.fails
	}
	sum := sha256.Sum256([]byte(key.Reveal())) // a nonce for each key: a test has the same wrap each time
	return r.cipher().Seal(bytes.Clone(sum[:12]), sum[:12], []byte(key.Reveal()), bound(about)), "1", nil
}

// Unwrap is the inverse of Wrap.
func (r *Recipient) Unwrap(_ context.Context, wrapped []byte, about map[string]string) (secret.Value, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opens++
	switch {
	case r.fails != nil:
		return secret.Value{}, r.fails
	case r.escrow:
		return secret.Value{}, fault.Stop("", fmt.Errorf("with %q: %w", r.Called, ErrNoIdentity), "")
	case len(wrapped) < 12:
		return secret.Value{}, fault.Stop("", fmt.Errorf("with %q: too short", r.Called), "")
	}
	key, err := r.cipher().Open(nil, wrapped[:12], wrapped[12:], bound(about))
	if err != nil {
		return secret.Value{}, fault.Stop("", fmt.Errorf("with %q: cannot decrypt", r.Called), "")
	}
	return secret.New(string(key)), nil
}

func (r *Recipient) cipher() cipher.AEAD {
	key := sha256.Sum256([]byte(r.Called))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func bound(about map[string]string) []byte {
	text, err := json.Marshal(about)
	if err != nil {
		panic(err)
	}
	return text
}
