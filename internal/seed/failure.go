package seed

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Failure is an object that could not be applied.
type Failure struct {
	ID       object.ID
	Position value.Position
	Err      error
	// Skipped objects were not tried, because their mount or namespace failed.
	Skipped bool
}

// ApplyError is the error of a plan that was carried out only in part. Objects that
// do not depend on the failed ones were applied.
type ApplyError struct {
	Failures []Failure
	// Written is how many objects were written.
	Written int
}

// Error returns a summary and one line per object, Vault's answer included.
func (e *ApplyError) Error() string {
	lines := []string{fmt.Sprintf("applying the seed: %d objects written, %d not", e.Written, len(e.Failures))}
	for i, f := range e.Failures {
		if i == value.ProblemLimit {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Failures)-i))
			break
		}
		lines = append(lines, f.Err.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the causes.
func (e *ApplyError) Unwrap() []error {
	causes := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		causes[i] = f.Err
	}
	return causes
}

// Permanent reports whether Vault refused every object for what it is, so that
// trying again with the same seed gives the same answer.
func (e *ApplyError) Permanent() bool {
	for _, f := range e.Failures {
		code := status(f.Err)
		if errors.Is(f.Err, errIgnored) || errors.Is(f.Err, errDropped) {
			continue
		}
		if !f.Skipped && code != http.StatusBadRequest && code != http.StatusNotFound && code != http.StatusMethodNotAllowed && code != http.StatusConflict {
			return false
		}
	}
	return true
}

// errSkipped is why an object was not tried.
var errSkipped = errors.New("not tried, because its mount could not be set up")

// errNoNamespace is why an object was not tried.
var errNoNamespace = errors.New("not tried, because its namespace could not be made")

// errDropped marks what Vault wrote, but for fields that it does not know.
var errDropped = errors.New("written, but Vault dropped the fields")

// errStopped is why a request was not sent.
var errStopped = errors.New("not sent, because a request before it failed")
