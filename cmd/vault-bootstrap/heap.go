package main

import (
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// briefGC is how far the heap of a process that ends by itself may grow, in percent, before
	// the collector runs: a tenth of the time of a run.
	briefGC = 400
	// memoryLimit is what the collector keeps the process below, in bytes, where no cgroup
	// wants less. A seed of 100,000 objects needs two thirds of it.
	memoryLimit = 340 << 20
	// memoryRatio is how much of the limit is for the heap; the rest is for the program itself.
	memoryRatio = 0.9
)

// sizeHeap has the collector run rarely in a process that ends by itself, and as often as it
// must where the memory of the container is at its end. GOGC and GOMEMLIMIT in the
// environment win.
func sizeHeap(args []string, env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set && (len(args) < 2 || !stays(args[1])) {
		debug.SetGCPercent(briefGC)
	}
	// Without a limit, which is all that can fail, a run takes more memory, and no less care.
	_, _ = memlimit.Set(memlimit.WithRatio(memoryRatio), memlimit.WithProvider(atMost(memlimit.FromCgroup, memoryLimit)))
}

// atMost returns what provider says, and most where that is more or unknown.
func atMost(provider memlimit.Provider, most uint64) memlimit.Provider {
	return func() (uint64, error) {
		limit, err := provider()
		if err != nil {
			return most, nil //nolint:nilerr // no cgroup, or one without a limit
		}
		return min(limit, most), nil
	}
}

// stays reports whether the verb runs until it is ended.
func stays(verb string) bool { return verb == "watch" || verb == "wait" }
