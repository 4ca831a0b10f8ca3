package main

import "runtime/debug"

// briefGC is how far the heap of a process that ends by itself may grow, in percent, before
// the collector runs. With a seed of 1,000 objects a run takes a tenth less time and 15 MiB
// more than with Go's 100. A large seed takes this back (job.loadSeed).
const briefGC = 400

// growHeap has a process that ends by itself collect its garbage less often. One that stays
// is to be small. GOGC in the environment wins.
func growHeap(args []string, env func(string) (string, bool)) {
	_, set := env("GOGC")
	if set || len(args) > 1 && stays(args[1]) {
		return
	}
	debug.SetGCPercent(briefGC)
}

// stays reports whether the verb runs until it is ended.
func stays(verb string) bool { return verb == "watch" || verb == "wait" }
