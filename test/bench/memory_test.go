package bench

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// forgetPeak makes this process small, and its peak with it, before it starts another one
// whose peak is measured: on Linux a process begins with the peak of the one that it was
// forked from.
func forgetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	// See clear_refs in proc(5).
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		b.Fatalf("the peak of memory cannot be reset: %v", err)
	}
}

// peak returns the peak resident memory of a process that has ended, in bytes.
func peak(b *testing.B, done driver.Result) int64 {
	b.Helper()
	if done.Usage == nil {
		b.Fatal("no resource usage")
	}
	return done.Usage.Maxrss * 1024 // Linux counts in KiB
}
