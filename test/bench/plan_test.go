package bench

import (
	"fmt"
	"testing"
	"time"
)

// The bounds of 'plan' on a hundred times the reference seed.
const (
	mostGrowth  = 1.15 // time for each object, as a ratio to ten times the seed
	mostPlanRSS = 400 << 20
	planRounds  = 3
)

// BenchmarkPlan compares 'plan' on a hundred and on ten times the reference seed, each on a
// Vault that matches. Beside it stands what a bare client takes for the reads.
func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		binary := build(b)
		var each [2]time.Duration
		for i, s := range []size{tenfold, hundredfold} {
			one := hardened(b, binary, 0, false)
			bare(b, one, one.root, s.writes())
			one.declare(b, s.text())
			var ours, reads samples
			var rss int64
			for range planRounds {
				reads.time(func() { bare(b, one, one.login, s.reads()) })
				forgetPeak(b)
				ours.time(func() { rss = max(rss, peak(b, one.run(b, binary, "plan", "--detailed-exitcode"))) })
			}
			one.stop()
			each[i] = ours.median() / time.Duration(s.objects())
			fmt.Printf("%s %s: plan %s, bare reads %s, %s for each object, %d MiB\n", b.Name(), s.name, round(ours.median()), round(reads.median()), each[i], rss>>20)
			if s.name == hundredfold.name {
				holdMemory(b, s.name, rss, mostPlanRSS)
			}
		}
		growth := float64(each[1]) / float64(each[0])
		verdict := "holds"
		if growth > mostGrowth {
			verdict = "FAILS"
			b.Errorf("100x costs %.2f times as much for each object as 10x, at most %.2f", growth, mostGrowth)
		}
		fmt.Printf("%s growth: %.2f of %.2f: %s\n", b.Name(), growth, mostGrowth, verdict)
	}
}
