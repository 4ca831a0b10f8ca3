package job

import (
	"io/fs"
	"path/filepath"
	"runtime/debug"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// How far the heap may grow, in percent, before the collector runs: in a process that ends by
// itself, while a large seed is read, and from then on. What somebody has set with GOGC stays.
const (
	BriefGC   = 400
	loadingGC = 50
	largeGC   = 100 // as Go has it
)

// largeSeed is the size of a seed, in bytes, from which memory counts for more than time. It
// has some 4,000 objects.
const largeSeed = 512 << 10

// loadSeed reads the seed. The nodes of a large YAML file are the most memory that a
// process ever needs, and of no use right after: meanwhile the collector runs twice as
// often as it would. Reading takes a small part of the time of a run.
func loadSeed(paths []string) (*seed.Seed, error) {
	if sizeOf(paths) < largeSeed {
		return seed.Load(paths)
	}
	before := debug.SetGCPercent(loadingGC)
	if before >= 0 && before < loadingGC { // somebody asked for less, with GOGC
		debug.SetGCPercent(before)
	}
	defer func() {
		if before == BriefGC {
			before = largeGC
		}
		debug.SetGCPercent(before)
	}()
	return seed.Load(paths)
}

// sizeOf returns how many bytes the files have, those in directories included. What cannot be
// asked counts as nothing: reading it says what is wrong.
func sizeOf(paths []string) int64 {
	size := int64(0)
	for _, path := range paths {
		_ = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
			return nil
		})
	}
	return size
}
