package main

import (
	"errors"
	"math"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestSizeHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	unset := func(string) (string, bool) { return "", false }
	given := func(name string) (string, bool) { return "30", name == "GOGC" }
	for _, test := range []struct {
		verb string
		env  func(string) (string, bool)
		want int
	}{{"run", unset, briefGC}, {"plan", unset, briefGC}, {"watch", unset, 100}, {"wait", unset, 100}, {"run", given, 100}} {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		sizeHeap([]string{"vault-bootstrap", test.verb}, test.env)
		if got := debug.SetGCPercent(100); got != test.want {
			t.Errorf("%s: the heap may grow by %d %%, want %d", test.verb, got, test.want)
		}
		if got := debug.SetMemoryLimit(-1); got > memoryLimit {
			t.Errorf("%s: the limit is %d, want %d at most", test.verb, got, memoryLimit)
		}
	}
}

func TestSizeHeapByEnvironment(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(77 << 20))
	t.Setenv("GOMEMLIMIT", "77MiB") // which the runtime has obeyed at the start
	sizeHeap([]string{"vault-bootstrap", "run"}, func(string) (string, bool) { return "", false })
	if got := debug.SetMemoryLimit(-1); got != 77<<20 {
		t.Errorf("the limit is %d", got)
	}
}

func TestAtMost(t *testing.T) {
	failing := func() (uint64, error) { return 0, errors.New("no cgroup") }
	for _, test := range []struct {
		provider memlimit.Provider
		want     uint64
	}{{memlimit.Limit(5), 5}, {memlimit.Limit(500), 100}, {failing, 100}, {func() (uint64, error) { return 0, memlimit.ErrNoLimit }, 100}} {
		if got, err := atMost(test.provider, 100)(); err != nil || got != test.want {
			t.Errorf("it is %d, want %d: %v", got, test.want, err)
		}
	}
}
