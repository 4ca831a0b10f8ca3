package main

import (
	"runtime/debug"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
)

// growHeap has a process that ends by itself collect its garbage less often: with a seed of
// 1,000 objects a run takes a tenth less time and 9 MiB more. A large seed takes this back,
// and a process that stays is to be small. GOGC in the environment wins.
func growHeap(args []string, env func(string) (string, bool)) {
	_, set := env("GOGC")
	if set || len(args) > 1 && stays(args[1]) {
		return
	}
	debug.SetGCPercent(job.BriefGC)
}

// stays reports whether the verb runs until it is ended.
func stays(verb string) bool { return verb == "watch" || verb == "wait" }
