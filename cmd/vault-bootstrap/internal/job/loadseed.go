package job

import (
	"io/fs"
	"path/filepath"
	"runtime/debug"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// How far the heap may grow, in percent, before the garbage collector runs: in a process that ends
// by itself, while a large seed is read, and from then on. A value from GOGC stays.
const (
	BriefGC   = 400
	loadingGC = 50
	largeGC   = 100 // Go's default
)

// largeSeed is the size of a seed, in bytes, from which memory matters more than time: some 4,000
// objects.
const largeSeed = 512 << 10

// loadSeed reads the seed. The nodes of a large YAML file take the most memory that a process ever
// needs, and are garbage right afterwards, so the collector runs twice as often meanwhile. Reading
// takes a small part of the time of a run.
func loadSeed(paths []string) (*seed.Seed, error) {
	if sizeOf(paths) < largeSeed {
		return seed.Load(paths)
	}
	before := debug.SetGCPercent(loadingGC)
	if before >= 0 && before < loadingGC { // GOGC asks for less
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

// sizeOf returns the size of the files in bytes, including those in directories. What cannot be
// read counts as nothing: reading it later reports the error.
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
