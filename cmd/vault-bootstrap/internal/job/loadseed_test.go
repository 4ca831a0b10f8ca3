package job

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// TestLoadSeedSetsTheCollector checks that a large seed, in a directory too, reverts the larger
// heap that a short process begins with, and that a small one keeps it, and that a value from GOGC
// stays.
func TestLoadSeedSetsTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	seedOf := func(padding int) string {
		path := filepath.Join(t.TempDir(), "seed.yaml")
		if err := os.WriteFile(path, []byte("policies: []\n"+strings.Repeat("# padding\n", padding)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small, large := seedOf(0), seedOf(largeSeed/10+1)
	for _, test := range []struct {
		path         string
		before, want int
	}{
		{small, 400, 400}, {filepath.Dir(small), 400, 400}, {small, -1, -1},
		{large, 400, 100}, {filepath.Dir(large), 400, 100}, {large, 30, 30}, {large, 200, 200}, {large, -1, -1},
	} {
		debug.SetGCPercent(test.before)
		_, err := loadSeed([]string{test.path})
		if after := debug.SetGCPercent(100); err != nil || after != test.want {
			t.Errorf("%s, before at %d: %d, want %d: %v", test.path, test.before, after, test.want, err)
		}
	}
}
