package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// samples are what several runs of one thing took on the clock.
type samples []time.Duration

// time runs do and notes what it took.
func (s *samples) time(do func()) {
	began := time.Now()
	do()
	*s = append(*s, time.Since(began))
}

func (s samples) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

// line is one row of the result: the program beside a bare client whose token carries the
// same policy, and beside bank-vaults where its program is given. What the bare client takes
// with a root token, which a hardened Vault has none of, is printed and not held.
type line struct {
	what                   string
	ours, bare, root, peer samples
	// bound is the most that ours may be, as a multiple of the bare client's.
	bound float64
}

// print prints the row, and fails the benchmark where the bound does not hold.
func (l line) print(b *testing.B) {
	b.Helper()
	ratio := float64(l.ours.median()) / float64(l.bare.median())
	verdict := "holds"
	if ratio > l.bound {
		verdict = "FAILS"
		b.Errorf("%s: %.2f times the bare client, at most %.2f", l.what, ratio, l.bound)
	}
	beside := ""
	if len(l.peer) > 0 {
		beside = fmt.Sprintf(", bank-vaults %s", round(l.peer.median()))
		if l.ours.median() > l.peer.median() {
			verdict = "FAILS"
			b.Errorf("%s: %s, and bank-vaults takes %s", l.what, round(l.ours.median()), round(l.peer.median()))
		}
	}
	fmt.Printf("%s %s: ours %s, bare %s (%s as root)%s, %.2f of %.2f: %s (medians of %d)\n",
		b.Name(), l.what, round(l.ours.median()), round(l.bare.median()), round(l.root.median()), beside, ratio, l.bound, verdict, len(l.ours))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
