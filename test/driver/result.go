package driver

import (
	"fmt"
	"syscall"
	"time"
)

// Result is how a process ended, and what it has printed.
type Result struct {
	Args []string
	// Code is the exit code; -1 after a signal that was not handled.
	Code           int
	Stdout, Stderr string
	Took           time.Duration
	// Failure is the name of the error that it ended with, or of the first that a watch has
	// reported; empty if there is none.
	Failure string
	// Usage is what the kernel has counted.
	Usage *syscall.Rusage
}

func (r Result) String() string {
	return fmt.Sprintf("stdout:\n%s\nstderr:\n%s", r.Stdout, r.Stderr)
}

// Log returns the lines of its log with a message, in their order.
func (r Result) Log(message string) []Entry {
	var found []Entry
	for _, entry := range Entries(r.Stderr) {
		if entry.Msg == message {
			found = append(found, entry)
		}
	}
	return found
}

// Events returns the events whose acts began.
func (r Result) Events() []string {
	var events []string
	for _, entry := range r.Log("began") {
		events = append(events, entry.Text("event"))
	}
	return events
}
