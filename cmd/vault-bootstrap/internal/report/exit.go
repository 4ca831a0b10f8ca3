package report

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// The exit codes of failures. 2 is never ours: the Go runtime uses it for crashes.
const (
	exitTransient = 1
	exitUsage     = 64
	exitSeed      = 65
	exitTerminal  = 70
	exitBusy      = 75
)

// Code is an exit code with its meaning.
type Code struct {
	Code    int
	Meaning string
}

// Codes returns what each exit code means. The README says the same, with what a Job should do.
func Codes() []Code {
	return []Code{
		{0, "done"},
		{exitTransient, "transient: time ran out, or Vault refused a part of the seed and the rest is applied"},
		{2, "never ours: a crash of the Go runtime"},
		{3, "`plan --detailed-exitcode` found changes; `verify` found a required control that does not hold"},
		{exitUsage, "usage or configuration error"},
		{exitSeed, "the seed is invalid; nothing of it was written to Vault"},
		{exitTerminal, "terminal: a person is needed, see [docs/runbook.md](docs/runbook.md)"},
		{exitBusy, "another run is at work and did not finish in time, or took over"},
	}
}

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

// EndingOf returns how a run would end with a failure, for a plan; nil if there is none.
func EndingOf(failure error) *reconcile.Ending {
	if failure == nil {
		return nil
	}
	kind := fault.KindOf(failure)
	return &reconcile.Ending{
		Code: ExitCode(failure), Kind: kind.String(), Name: fault.NameOf(failure), Message: failure.Error(), Remedy: fault.RemedyOf(failure),
		Stops: kind != fault.Transient && kind != fault.Partial,
	}
}
