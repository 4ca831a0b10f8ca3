package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Concern is something that endangers the records although they can be read.
type Concern struct {
	// Name is the name of the terminal error that it can end in; docs/runbook.md has a section on
	// each.
	Name string
	// Record is the record it is about, as Location names it; empty for all of them.
	Record string
	// Message says what the problem is, and Remedy, in full sentences, what to do about it.
	Message, Remedy string
}

// The names of concerns.
const (
	// RecordBeingDeleted: the object has a deletionTimestamp, and is gone when its finalizers are.
	RecordBeingDeleted = "record is being deleted"
	// NamespaceBeingDeleted: everything in the namespace will be deleted.
	NamespaceBeingDeleted = "namespace is being deleted"
	// RecordImmutable: the record can be read but not written.
	RecordImmutable = "record is immutable"
	// RecordOwned: the object is deleted together with its owner.
	RecordOwned = "record has an owner"
)

// ErrImmutable means that a record can be read but not written. What needs no write, such as
// unsealing, can go on.
var ErrImmutable = errors.New("the record can be read, but not written")

// Fault returns the terminal error of a concern.
func (c Concern) Fault() error {
	err := errors.New(c.Message)
	if c.Name == RecordImmutable {
		err = fmt.Errorf("%s: %w", c.Message, ErrImmutable)
	}
	return fault.Stop(c.Name, err, c.Remedy)
}

// Refusal returns the terminal error of the first concern, which mentions the others too, and nil
// if there are none: keys must not be stored where they may be deleted, or cannot be written.
func Refusal(concerns []Concern) error {
	if len(concerns) == 0 {
		return nil
	}
	first := concerns[0]
	messages, remedies := []string{first.Message}, []string{first.Remedy}
	for _, c := range concerns[1:] {
		messages = append(messages, c.Name+": "+c.Message)
		if c.Remedy != first.Remedy {
			remedies = append(remedies, c.Remedy)
		}
	}
	first.Message, first.Remedy = strings.Join(messages, "; "), strings.Join(remedies, " ")
	return first.Fault()
}

// Ready checks that keys can be stored in s and that nothing endangers them there, as must be
// before Vault is initialized.
func Ready(ctx context.Context, s Store) error {
	if err := s.Preflight(ctx); err != nil {
		return err
	}
	concerns, err := s.Concerns(ctx)
	if err != nil {
		return err
	}
	return Refusal(concerns)
}
