// Package fault records what kind of failure an error is and what a person can do about it.
//
// The kind decides what happens next: a transient failure is tried again, the
// others end the run with the exit code of their kind. The package is a leaf: it
// must not know Vault, Kubernetes or the seed.
package fault

import (
	"errors"
	"fmt"
)

// Kind is what a caller does about a failure.
type Kind int

// The kinds. An error without a kind counts as Transient: trying again is safe, since every cycle
// starts by reading the world.
const (
	// Transient failures may pass: try the whole cycle again.
	Transient Kind = iota
	// Terminal failures need a person.
	Terminal
	// Usage failures are wrong flags, environment or configuration.
	Usage
	// Seed failures are in the seed's text.
	Seed
	// Busy means that another holder is at work.
	Busy
	// Partial failures are of a part of the work, the rest of which is done: this
	// run cannot do better, a later one may.
	Partial
)

var kindNames = [...]string{"transient", "terminal", "usage", "seed", "busy", "partial"}

// String returns the kind's name as logs and the checkpoint show it.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Error is a failure with a kind, a name that documentation and dashboards can
// refer to, and a remedy.
type Error struct {
	Kind Kind
	// Name is a short, stable name ("keys lost"); empty where none is needed.
	Name string
	// Err says what failed.
	Err error
	// Remedy says what the reader can do next, in full sentences; may be empty.
	Remedy string
}

// Error returns the name and the cause, without the remedy.
func (e *Error) Error() string {
	if e.Name == "" {
		return e.Err.Error()
	}
	return e.Name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wait returns a transient failure. The remedy says what the run waits for, and what to check if
// that does not happen.
func Wait(err error, remedy string) *Error {
	return &Error{Kind: Transient, Err: err, Remedy: remedy}
}

// Stop returns a terminal failure.
func Stop(name string, err error, remedy string) *Error {
	return &Error{Kind: Terminal, Name: name, Err: err, Remedy: remedy}
}

// Misuse returns a usage failure.
func Misuse(err error, remedy string) *Error {
	return &Error{Kind: Usage, Err: err, Remedy: remedy}
}

// BadSeed returns a seed failure.
func BadSeed(err error, remedy string) *Error {
	return &Error{Kind: Seed, Err: err, Remedy: remedy}
}

// Held returns a failure because of another holder.
func Held(err error, remedy string) *Error {
	return &Error{Kind: Busy, Err: err, Remedy: remedy}
}

// Part returns a partial failure.
func Part(err error, remedy string) *Error {
	return &Error{Kind: Partial, Err: err, Remedy: remedy}
}

// KindOf returns the kind of the outermost Error in err's chain, and Transient
// for an error that has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Transient
}

// NameOf returns the name of the outermost Error in err's chain, or "".
func NameOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Name
	}
	return ""
}

// RemedyOf returns the first remedy found from the outside in, or "".
func RemedyOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Remedy != "" {
			return e.Remedy
		}
		err = e.Err
	}
	return ""
}
