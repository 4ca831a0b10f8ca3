package main

import (
	"context"
	"math/rand/v2"
	"strings"
)

// trial is one case.
type trial struct {
	number int
	// kind is the kind of violence, point where or when it happens.
	kind, point string
	storage     string
	nodes       int
	inKube      bool
	// alone is whether the API server goes away, so that no other case may need it.
	alone bool
	// later is the verb, if it is one for a hardened Vault.
	later later
	rng   *rand.Rand
	act   act
}

// act does violence. When it returns, the rest may be run as if nothing were the
// matter; its error is a violation that it has seen itself.
type act func(ctx context.Context, sc *scene) error

func (t trial) title() string { return strings.TrimSpace(t.kind + "  " + t.point) }

func (t trial) place() string {
	place := t.storage
	if t.nodes > 1 {
		place += " ×3"
	}
	if t.inKube {
		return place + ", Kubernetes"
	}
	return place + ", files"
}

// kindSIGSTOP needs a Lease that runs out, which a lock on a file does not.
const kindSIGSTOP = "SIGSTOP past the lease"

// plan chooses the cases: in turn one of each kind, one at a named point, and one at
// random, until there are enough. The first two run out, so that a long run has
// every one of them.
func plan(s *suite) []trial {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	every, points := singles(), inRounds(rng, atPoints(ofRuns(s.points)), laterAtPoints(ofLater(s.points)))
	rng.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
	var trials []trial
	for turn := 0; len(trials) < s.count; turn++ {
		var t trial
		switch {
		case turn%3 == 0 && len(every) > 0:
			t, every = every[0], every[1:]
		case turn%3 != 2 && len(points) > 0:
			t, points = points[0], points[1:]
		default:
			t = atRandom(rng, ofRuns(s.points))
		}
		t.number = len(trials) + 1
		t.rng = rand.New(rand.NewPCG(s.seed, uint64(t.number)+1))
		if t.storage == "" {
			t.storage = "file"
			if t.number%10 == 0 {
				t.storage = "raft"
			}
		}
		t.nodes = max(t.nodes, 1)
		trials = append(trials, t)
	}
	if s.only == "" {
		return trials
	}
	var chosen []trial
	for _, t := range trials {
		if strings.Contains(t.title(), s.only) {
			chosen = append(chosen, t)
		}
	}
	return chosen
}

// inRounds shuffles cases at points, two of runs to one of later verbs: in the first
// round each point has one case, the others come after.
func inRounds(rng *rand.Rand, runs, laters []trial) []trial {
	shuffled := func(list []trial) []trial {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		seen := map[string]bool{}
		var first, rest []trial
		for _, t := range list {
			if seen[t.point] {
				rest = append(rest, t)
			} else {
				first = append(first, t)
			}
			seen[t.point] = true
		}
		return append(first, rest...)
	}
	runs, laters = shuffled(runs), shuffled(laters)
	var all []trial
	for turn := 0; len(runs)+len(laters) > 0; turn++ {
		from := &runs
		if turn%3 == 1 && len(laters) > 0 || len(runs) == 0 {
			from = &laters
		}
		all, *from = append(all, (*from)[0]), (*from)[1:]
	}
	return all
}

// singles are the kinds of which every run should have one.
func singles() []trial {
	return []trial{
		{kind: "answer cut", point: "sys/init", act: answerCut},
		{kind: "answer halved", point: "sys/init", act: answerHalved},
		{kind: "SIGTERM", point: "waiting for sys/init", act: termWhileWaiting},
		{kind: "SIGKILL", point: "waiting for sys/init", act: killWhileWaiting},
		{kind: "refused", point: "sys/init", act: initRefused},
		{kind: "2 runners", act: together(2)},
		{kind: "5 runners", storage: "raft", nodes: 3, act: together(5)},
		{kind: "5 runners", inKube: true, storage: "raft", nodes: 3, act: together(5)},
		{kind: "2 runners, holder killed", inKube: true, act: holderKilled(2)},
		{kind: "5 runners, holder killed", inKube: true, act: holderKilled(5)},
		{kind: "5 runners, holder killed", act: holderKilled(5)},
		{kind: "API server away", point: pointSpooled, inKube: true, alone: true, act: apiServerAway},
		{kind: "store refuses", point: pointSpooled, inKube: true, act: storeRefusesKeys},
		{kind: "rule taken away", point: pointSpooled, inKube: true, act: ruleTakenAway},
		{kind: "spool disk full", point: "at start", act: diskFull},
		{kind: "spool disk full", point: pointIntended, act: diskFillsUp},
		{kind: "Vault killed", point: "sys/init", storage: "file", act: vaultKilledInInit},
		{kind: "Vault killed", point: "sys/init", storage: "raft", act: vaultKilledInInit},
		{kind: kindSIGSTOP + ", spool elsewhere", point: pointSpooled, inKube: true, act: stoppedElsewhere},
		{kind: "connections held", point: "random", act: connectionsHeld},
		{kind: "connections reset", point: "random", act: connectionsReset},
		{kind: "answers spoilt", point: "random", act: answersSpoilt},
		{kind: "store spoilt", point: "random", inKube: true, act: storeSpoilt},
	}
}

// The points that cases of their own begin at.
const (
	pointIntended = "initialize.intended"
	pointSpooled  = "initialize.spooled"
)

// atPoints are the three signals at every named point.
func atPoints(points []string) []trial {
	var trials []trial
	for i, point := range points {
		trials = append(trials,
			trial{kind: "SIGKILL", point: point, inKube: i%3 == 0, act: killAt(point)},
			trial{kind: "SIGTERM", point: point, inKube: i%3 == 1, act: termAt(point)},
			trial{kind: kindSIGSTOP, point: point, inKube: true, act: stoppedAt(point)})
	}
	return trials
}

// atRandom is a case like those that happen.
func atRandom(rng *rand.Rand, points []string) trial {
	point := points[rng.IntN(len(points))]
	inKube := rng.IntN(4) == 0
	choices := []trial{
		{kind: "SIGKILL", point: "random", act: killAtRandom},
		{kind: "SIGKILL", point: "random", act: killAtRandom},
		{kind: "SIGKILL", point: "random", act: killAtRandom},
		{kind: "SIGTERM", point: "random", act: termAtRandom},
		{kind: "SIGTERM", point: "random", act: termAtRandom},
		{kind: "SIGTERM", point: "random", act: termAtRandom},
		{kind: "SIGKILL", point: point, act: killAt(point)},
		{kind: "SIGTERM", point: point, act: termAt(point)},
		{kind: "SIGTERM", point: "waiting for sys/init", act: termWhileWaiting},
		{kind: "SIGKILL", point: "waiting for sys/init", act: killWhileWaiting},
		{kind: "Vault killed", point: "random", act: vaultKilledAtRandom},
		{kind: "Vault killed", point: "random", act: vaultKilledAtRandom},
		{kind: "Vault killed", point: "sys/init", act: vaultKilledInInit},
		{kind: "connections held", point: "random", act: connectionsHeld},
		{kind: "connections reset", point: "random", act: connectionsReset},
		{kind: "answers spoilt", point: "random", act: answersSpoilt},
		{kind: "store spoilt", point: "random", inKube: true, act: storeSpoilt},
		{kind: "2 runners, holder killed", act: holderKilled(2)},
	}
	choices = append(append(choices, laterAtRandom(keysRotate)...), laterAtRandom(breakGlassRun)...)
	t := choices[rng.IntN(len(choices))]
	t.inKube = (t.inKube || inKube) && t.later == ""
	return t
}
