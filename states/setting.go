package states

import (
	"log/slog"
	"time"
)

// Setting is what all parts of a bootstrap share.
type Setting struct {
	// Name is the name of our records, of our policy and of our role.
	Name string
	// Parallelism is how many calls to Vault may be in flight.
	Parallelism int
	Log         *slog.Logger
	Now         func() time.Time
}
