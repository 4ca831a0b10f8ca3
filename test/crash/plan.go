package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"
)

// trial is one case.
type trial struct {
	number int
	// kind is the kind of violence, point where or when it happens.
	kind, point string
	storage     string
	nodes       int
	inKube      bool
	// guarded puts guards before the endpoints that take key shares.
	guarded bool
	// alone is whether the API server goes away, so that no other case may need it.
	alone bool
	verb  *verb
	// recipients are those of the keys record, if the verb says nothing.
	recipients recipients
	// extra is how much longer than others the case may take.
	extra time.Duration
	rng   *rand.Rand
	act   act
}

// lasts returns how much longer than others the case may last: the pause of a watch, which
// grows as long as it fails, comes after what it has failed for.
func (t trial) lasts() time.Duration { return t.extra + min(t.extra, longestPause) }

// act does violence. When it returns, the rest may be run as if nothing were the
// matter; its error is a violation that it has seen itself.
type act func(ctx context.Context, sc *scene) error

func (t trial) title() string {
	return strings.TrimSpace(t.verb.name + "  " + t.kind + "  " + t.point)
}

func (t trial) place() string {
	place := t.storage
	if t.nodes > 1 {
		place += " ×3"
	}
	if t.guarded {
		place += ", guards"
	}
	if t.recipients == byKMS {
		place += ", KMS"
	}
	if t.inKube {
		return place + ", Kubernetes"
	}
	return place + ", files"
}

// plan chooses the cases: in turn one of each kind, one of a verb at a named point, and
// one at random, until there are enough. The first two run out, so that a long run has
// every one of them; what comes first has each verb once.
func plan(s *suite) []trial {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	every, points := singles(), inRounds(rng, atPoints(s.passed))
	every = append(every, s.scenes()...)
	rng.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
	every = someKMSScenes(every, rng.IntN)
	var trials []trial
	s.whole = s.count >= len(every)+len(points) && s.only == ""
	fmt.Printf("crash: %d cases at every point of every verb, %d of other kinds; %d are chosen\n", len(points), len(every), s.count)
	short := s.count < len(every)+len(points) // then one in six is at random all the same
	for turn := 0; len(trials) < s.count; turn++ {
		var t trial
		switch random := short && turn%6 == 5 && turn*2/3 >= len(verbs()); {
		case turn%3 == 0 && len(every) > 0:
			t, every = every[0], every[1:]
		case !random && len(points) > 0:
			t, points = points[0], points[1:]
		case !random && len(every) > 0:
			t, every = every[0], every[1:]
		default:
			t = atRandom(rng)
		}
		trials = append(trials, s.complete(t, len(trials)+1))
	}
	if s.only == "" {
		return trials
	}
	only := regexp.MustCompile(s.only)
	var chosen []trial
	for _, t := range trials {
		if only.MatchString(t.title()) {
			chosen = append(chosen, t)
		}
	}
	return chosen
}

// complete fills in what a case leaves open.
func (s *suite) complete(t trial, number int) trial {
	t.number = number
	t.rng = rand.New(rand.NewPCG(s.seed, uint64(number)+1))
	if t.verb == nil {
		t.verb = verbRun
	}
	if t.storage == "" {
		t.storage = "file"
		if number%10 == 0 && !t.verb.exchanges {
			t.storage = "raft"
		}
	}
	t.nodes = max(t.nodes, 1)
	t.guarded = number%2 == 0
	return t
}

// inRounds shuffles cases: in each round every verb has one.
func inRounds(rng *rand.Rand, list []trial) []trial {
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	round := map[*verb]int{}
	at := map[int][]trial{}
	last := 0
	for _, t := range list {
		n := round[t.verb]
		round[t.verb]++
		at[n] = append(at[n], t)
		last = max(last, n)
	}
	var all []trial
	for n := range last + 1 {
		all = append(all, at[n]...)
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
		{kind: kindSIGSTOP, point: "waiting for sys/init", inKube: true, act: frozenInInit},
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

// atPoints are the signals at every point that a verb passes, and at random. What exchanges
// keys has Vault restarted as well.
func atPoints(passed map[*verb][]string) []trial {
	var trials []trial
	seen := map[string]bool{} // what mends has only the points that it would not come to else
	for i, v := range verbs() {
		for k, point := range passed[v] {
			word, _, _ := strings.Cut(v.name, " ")
			if v.mends && seen[word+" "+point] {
				continue
			}
			seen[word+" "+point] = true
			even := (i+k)%2 == 0
			trials = append(trials,
				trial{verb: v, kind: kindSIGKILL, point: point, inKube: even, act: killAt(point)},
				trial{verb: v, kind: kindSIGTERM, point: point, inKube: !even, act: termAt(point)},
				trial{verb: v, kind: kindSIGSTOP, point: point, inKube: true, act: stoppedAt(point)})
			if v.rotates {
				trials = append(trials, trial{verb: v, kind: kindRestarted, point: point, act: thenRestarted(killAt(point))})
			}
		}
		if v.mends {
			continue
		}
		trials = append(trials,
			trial{verb: v, kind: kindSIGKILL, point: "random", act: killAtRandom},
			trial{verb: v, kind: kindSIGTERM, point: "random", inKube: true, act: termAtRandom})
		if len(passed[v]) == 0 {
			trials = append(trials, trial{verb: v, kind: kindSIGSTOP, point: "random", inKube: true, act: stoppedAtRandom})
		}
	}
	return trials
}

// The signals. SIGSTOP needs a Lease that runs out, which a lock on a file does not.
const (
	kindSIGKILL   = "SIGKILL"
	kindSIGTERM   = "SIGTERM"
	kindSIGSTOP   = "SIGSTOP past the lease"
	kindRestarted = "SIGKILL, Vault restarted"
)

// atRandom is a case like those that happen.
func atRandom(rng *rand.Rand) trial {
	choices := []trial{
		{kind: kindSIGTERM, point: "waiting for sys/init", act: termWhileWaiting},
		{kind: kindSIGKILL, point: "waiting for sys/init", act: killWhileWaiting},
		{kind: "Vault killed", point: "random", act: vaultKilledAtRandom},
		{kind: "Vault killed", point: "random", act: vaultKilledAtRandom},
		{kind: "Vault killed", point: "sys/init", act: vaultKilledInInit},
		{kind: "connections held", point: "random", act: connectionsHeld},
		{kind: "connections reset", point: "random", act: connectionsReset},
		{kind: "answers spoilt", point: "random", act: answersSpoilt},
		{kind: "store spoilt", point: "random", inKube: true, act: storeSpoilt},
		{kind: "2 runners, holder killed", act: holderKilled(2)},
	}
	for _, v := range verbs() {
		choices = append(choices,
			trial{verb: v, kind: kindSIGKILL, point: "random", act: killAtRandom},
			trial{verb: v, kind: kindSIGTERM, point: "random", act: termAtRandom})
		if v.exchanges {
			choices = append(choices, trial{verb: v, kind: kindRestarted, point: "random", act: thenRestarted(killAtRandom)})
		}
	}
	t := choices[rng.IntN(len(choices))]
	t.inKube = t.inKube || rng.IntN(4) == 0
	return t
}
