package reconcile

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
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

// ApplyError is the error of a plan that was applied only in part. Objects that do not depend on
// the failed ones were applied.
type ApplyError struct {
	Failures []Failure
	// Written is how many objects were written, in all calls of the walk.
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

// permanent reports whether Vault refused all the objects themselves, so that trying again with the
// same seed gives the same answer, or has given it several times.
func (e *ApplyError) permanent(history *History) bool {
	for _, f := range e.Failures {
		code := httpstatus.Of(f.Err)
		if f.Skipped || errors.Is(f.Err, errIgnored) || errors.Is(f.Err, errDropped) || errors.Is(f.Err, errUnchanged) || errors.Is(f.Err, errServerWide) || namespaceSealed(f.Err) || history.givesUp(f.ID) {
			continue
		}
		if code != http.StatusBadRequest && code != http.StatusNotFound && code != http.StatusMethodNotAllowed && code != http.StatusConflict {
			return false
		}
	}
	return true
}

// errSkipped is why an object was not tried.
var errSkipped = errors.New("not tried, because its mount could not be set up")

// errNoNamespace is why an object was not tried.
var errNoNamespace = errors.New("not tried, because its namespace could not be created")

// errDropped marks an object that Vault wrote without the fields that it does not recognize.
var errDropped = errors.New("written, but Vault dropped these fields")

// errStopped is why a request was not sent.
var errStopped = errors.New("not sent, because a request before it failed")

// explain adds the object that err is about, and its position in the seed.
func explain(c Change, err error) error {
	verb := "updating"
	o := c.Object
	switch {
	case o.IsRequest():
		verb = "sending"
	case c.Action == Create:
		verb = "creating"
	}
	if serverWide(err) {
		err = fmt.Errorf("%w (%w)", refusedServerWide(), err)
	}
	if o.IsAudit() && product.AuditRegistered.In(err.Error()) {
		// Vault 1.21 registers a device before it records it, and leaves it registered when
		// the request ends in between (enableAudit in audit.go).
		return fault.Wait(fmt.Errorf("%s %s (%s): %w", verb, o.ID, o.Position, err),
			"Restart Vault's active node, have it unsealed, and run again. An earlier request to enable this device was cut off: "+
				"the active node has it registered and not recorded, and neither enables nor disables it until it is restarted.")
	}
	file := auditFile(o)
	if file == "" || httpstatus.Of(err) == 0 || httpstatus.Of(err) == http.StatusForbidden {
		return fmt.Errorf("%s %s (%s): %w", verb, o.ID, o.Position, err)
	}
	_, name := o.Table()
	return fault.Wait(
		fmt.Errorf("enabling the audit device %q (%s), which writes to %q: %w", name, o.Position, file, err),
		fmt.Sprintf("Vault writes this file itself: create the directory %q on every replica, writable for the user that Vault runs as "+
			"(with the official chart: server.auditStorage.enabled), or choose another file_path. "+
			"Declare a second device as well: Vault stops answering when no device can write.", path.Dir(file)))
}

// auditFile returns the file that an audit device writes to, or "" if it writes to none.
func auditFile(o object.Object) string {
	options, _ := o.Data["options"].(map[string]any)
	file, _ := value.Reveal(options["file_path"]).(string)
	if !o.IsAudit() || o.Type != "file" || !strings.HasPrefix(file, "/") || value.Hidden(options["file_path"]) {
		return ""
	}
	return file
}
