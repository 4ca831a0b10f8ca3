// Package report shows people and machines what a run does and what it has come to: on a
// terminal, in lines of JSON, as Kubernetes Events and metrics, in the termination message
// and in tables. It knows neither flags nor how anything is done; it writes what it is given,
// and nothing in it is a secret.
package report

import (
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

// Reporter shows people or machines what a run does.
type Reporter interface {
	fsm.Reporter
	// Log is for what the acts have to say.
	Log() *slog.Logger
	// Close ends the report; nothing is reported after it.
	Close(failed bool)
}
