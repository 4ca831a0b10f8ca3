package job

import (
	"runtime/debug"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// loadingGC is how far the heap may grow, in percent, before the collector runs while a
// seed is read.
const loadingGC = 50

// loadSeed reads the seed. The nodes of a large YAML file are the most memory that a
// process ever needs, and of no use right after: meanwhile the collector runs twice as
// often as it would. Reading takes a small part of the time of a run.
func loadSeed(paths []string) (*seed.Seed, error) {
	before := debug.SetGCPercent(loadingGC)
	defer debug.SetGCPercent(before)
	if before >= 0 && before < loadingGC { // somebody asked for less, with GOGC
		debug.SetGCPercent(before)
	}
	return seed.Load(paths)
}
