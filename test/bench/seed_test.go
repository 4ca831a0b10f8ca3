package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// The bounds, as ratios to a bare client that makes the necessary requests only, with a token
// that may do what the program's own login may.
const (
	mostCold      = 1.7
	mostNoOp      = 1.5
	mostNoOpAt10  = 1.25
	mostRequests  = 60 // of a rerun, beside one for each object and two for each mount
	requestsOfOne = 10 // of a run that changes one object, beside those of a rerun
)

// rounds are how many fresh Vaults each side gets, reruns how many reruns each of them.
func rounds(s size) (runs, reruns int) {
	if s.name == reference.name {
		return 7, 3
	}
	return 3, 2
}

// BenchmarkSeed measures the built program, from its start to its exit: a run that finds an
// open Vault with nothing of the seed in it, and one that finds nothing to do. One part alone:
// BENCH=Seed/1x/0s/plain.
func BenchmarkSeed(b *testing.B) {
	for _, s := range []size{reference, tenfold} {
		b.Run(s.name, func(b *testing.B) {
			for _, rtt := range []time.Duration{0, 5 * time.Millisecond} {
				b.Run(rtt.String(), func(b *testing.B) {
					for name, audited := range map[string]bool{"plain": false, "audited": true} {
						b.Run(name, func(b *testing.B) {
							for b.Loop() {
								measure(b, build(b), s, rtt, audited)
							}
						})
					}
				})
			}
		})
	}
}

// measure prints the lines of one size at one round trip. The sides take turns, so that what
// else the machine does meets all of them.
func measure(b *testing.B, binary string, s size, rtt time.Duration, audited bool) {
	b.Helper()
	cold, noop := line{what: "cold", bound: mostCold}, line{what: "no-op", bound: mostNoOp}
	if s.name != reference.name {
		noop.bound = mostNoOpAt10
	}
	runs, reruns := rounds(s)
	for range runs {
		one, two, root := hardened(b, binary, rtt, audited), hardened(b, binary, rtt, audited), hardened(b, binary, rtt, audited)
		one.declare(b, s.text())
		cold.ours.time(func() { one.run(b, binary) })
		cold.bare.time(func() { bare(b, two, two.login, s.writes()) })
		cold.root.time(func() { bare(b, root, root.root, s.writes()) })
		root.stop()
		for range reruns {
			noop.ours.time(func() { one.run(b, binary) })
			noop.bare.time(func() { bare(b, two, two.login, s.reads()) })
			noop.root.time(func() { bare(b, two, two.root, s.reads()) })
		}
		two.stop()
		if bankVaults() != "" {
			three := hardened(b, binary, rtt, audited)
			three.declare(b, s.text())
			cold.peer.time(func() { configure(b, three) })
			for range reruns {
				noop.peer.time(func() { configure(b, three) })
			}
			three.stop()
		}
		if audited {
			countRequests(b, binary, s, one)
		}
		one.stop()
	}
	cold.print(b)
	noop.print(b)
}

// countRequests holds that a rerun only reads, and not more than it may, and that one changed
// object costs little more.
func countRequests(b *testing.B, binary string, s size, one *server) {
	b.Helper()
	spent := func() (all, writes int) {
		if err := os.Truncate(one.audit, 0); err != nil {
			b.Fatal(err)
		}
		one.run(b, binary)
		return one.requests(b)
	}
	all, writes := spent()
	most := s.objects() + 2*s.mounts + mostRequests
	holdCount(b, "requests of a rerun", all, most)
	holdCount(b, "writes of a rerun", writes, 0)
	one.declare(b, strings.Replace(s.text(), "/data/app42/*", "/data/other/*", 1))
	changed, _ := spent()
	holdCount(b, "requests of a run with one change", changed, all+requestsOfOne)
}

func holdCount(b *testing.B, what string, got, most int) {
	b.Helper()
	verdict := "holds"
	if got > most {
		verdict = "FAILS"
		b.Errorf("%s: %d, at most %d", what, got, most)
	}
	fmt.Printf("%s %s: %d of %d: %s\n", b.Name(), what, got, most, verdict)
}
