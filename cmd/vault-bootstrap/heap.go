package main

import (
	"runtime/debug"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
)

// growHeap makes a process that ends by itself collect its garbage less often: with a seed of 1,000
// objects a run takes a tenth less time and 9 MiB more memory. A large seed reverts this, and a
// process that keeps running should stay small. GOGC in the environment wins.
func growHeap(args []string, env func(string) (string, bool)) {
	_, set := env("GOGC")
	if set || len(args) > 1 && longRunning(args[1]) {
		return
	}
	debug.SetGCPercent(job.BriefGC)
}

// longRunning reports whether the verb runs until it is stopped.
func longRunning(verb string) bool { return verb == "watch" || verb == "wait" }
