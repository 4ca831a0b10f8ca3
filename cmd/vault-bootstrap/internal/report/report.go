// Package report shows what a run does and how it ends: on a terminal, in lines of JSON, as
// Kubernetes Events and metrics, in the termination message and in tables. It knows neither flags
// nor how anything is done; it writes what it is given, and nothing in it is a secret.
package report

import (
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

// Reporter shows what a run does.
type Reporter interface {
	fsm.Reporter
	// Log returns the logger of the acts.
	Log() *slog.Logger
	// GivesUp says when the run ends if it still waits then.
	GivesUp(at time.Time)
	// Close ends the report; nothing is reported after it.
	Close(failed bool)
}
