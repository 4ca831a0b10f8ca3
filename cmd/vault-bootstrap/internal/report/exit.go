package report

import "github.com/vault-bootstrap/vault-bootstrap/internal/fault"

// The exit codes of failures. 2 is never ours: the Go runtime uses it for crashes.
const (
	exitTransient = 1
	exitUsage     = 64
	exitSeed      = 65
	exitTerminal  = 70
	exitBusy      = 75
)

// ExitCode returns the exit code of a program that ends with a failure, by its kind.
func ExitCode(failure error) int {
	switch fault.KindOf(failure) {
	case fault.Usage:
		return exitUsage
	case fault.Seed:
		return exitSeed
	case fault.Terminal:
		return exitTerminal
	case fault.Busy:
		return exitBusy
	default:
		return exitTransient
	}
}
