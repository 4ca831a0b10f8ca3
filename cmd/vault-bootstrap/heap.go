package main

import (
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// briefGC is how far the heap of a process that ends by itself may grow, in percent, before the
	// collector runs. It saves a tenth of the time of a run.
	briefGC = 400
	// memoryLimit is the size, in bytes, below which the collector keeps the process, unless a
	// cgroup's limit is lower. A seed of 100,000 objects needs two thirds of it.
	memoryLimit = 340 << 20
	// memoryRatio is the part of the limit that is for the heap; the rest is for the program
	// itself.
	memoryRatio = 0.9
)

// sizeHeap makes the collector run rarely in a process that ends by itself, and as often as it must
// when the memory of the container runs out. GOGC and GOMEMLIMIT in the environment win.
func sizeHeap(args []string, env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set && (len(args) < 2 || !longRunning(args[1])) {
		debug.SetGCPercent(briefGC)
	}
	// If this fails there is only no limit: a run then takes more memory.
	_, _ = memlimit.Set(memlimit.WithRatio(memoryRatio), memlimit.WithProvider(atMost(memlimit.FromCgroup, memoryLimit)))
}

// atMost returns a provider of the limit of provider, or of highest if that is lower or the limit
// is unknown.
func atMost(provider memlimit.Provider, highest uint64) memlimit.Provider {
	return func() (uint64, error) {
		limit, err := provider()
		if err != nil {
			return highest, nil //nolint:nilerr // no cgroup, or one without a limit
		}
		return min(limit, highest), nil
	}
}

// longRunning reports whether the verb runs until it is stopped.
func longRunning(verb string) bool { return verb == "watch" || verb == "wait" }
