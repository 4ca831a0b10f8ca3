package bench

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// samples are what several runs of one thing took: on the clock, and of this process's
// CPU time.
type samples struct{ clock, cpu []time.Duration }

// time runs do and notes what it took.
func (s *samples) time(do func()) {
	before, began := cpuTime(), time.Now()
	do()
	s.clock = append(s.clock, time.Since(began))
	s.cpu = append(s.cpu, cpuTime()-before)
}

// cpuTime returns the CPU time that this process has used, in user and kernel mode.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// line is one row of the result: ours beside a bare client.
type line struct {
	what        string
	ours, floor samples
	// requests is how many each side sends in one run.
	requests int
	bound    float64
}

func (l line) ratio() float64 { return ratio(l.ours, l.floor) }

func ratio(a, b samples) float64 { return float64(median(a.clock)) / float64(median(b.clock)) }

// print prints the row, and fails the benchmark where the bound does not hold.
func (l line) print(b *testing.B) {
	b.Helper()
	holds := "holds"
	if l.ratio() > l.bound {
		holds = "FAILS"
		b.Errorf("%s: %.2f times the floor, at most %.2f", l.what, l.ratio(), l.bound)
	}
	each := func(times []time.Duration) string {
		return (median(times) / time.Duration(l.requests)).Round(time.Microsecond).String()
	}
	fmt.Printf("%s %s: %s, floor %s, %.2f of %.2f: %s (medians of %d; each of %d requests costs %s of CPU time here, the floor's %s; fastest %s, floor %s)\n",
		b.Name(), l.what, round(median(l.ours.clock)), round(median(l.floor.clock)), l.ratio(), l.bound, holds,
		len(l.ours.clock), l.requests, each(l.ours.cpu), each(l.floor.cpu), round(slices.Min(l.ours.clock)), round(slices.Min(l.floor.clock)))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
