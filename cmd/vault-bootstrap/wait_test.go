package main

import (
	"context"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

func TestReached(t *testing.T) {
	health := func(context.Context) fsm.State { return "" }
	for name, test := range map[string]struct {
		goal          fsm.State
		lease, health bool
		seen          sight
		want, asks    bool
	}{
		"nothing is known":                  {fsm.Unsealed, true, true, sight{}, false, true},
		"health alone":                      {fsm.Unsealed, false, true, sight{health: fsm.Unsealed}, true, true},
		"health alone, not yet":             {fsm.Unsealed, false, true, sight{health: fsm.Initialized}, false, true},
		"lease alone":                       {fsm.Hardened, true, false, sight{lease: fsm.Hardened}, true, false},
		"lease alone, not yet":              {fsm.Hardened, true, false, sight{lease: fsm.Seeded}, false, false},
		"both, open":                        {fsm.Hardened, true, true, sight{lease: fsm.Hardened, health: fsm.Unsealed}, true, true},
		"recorded, and sealed since":        {fsm.Hardened, true, true, sight{lease: fsm.Hardened, health: fsm.Initialized}, false, true},
		"recorded while we waited":          {fsm.Hardened, true, true, sight{lease: fsm.Hardened, fresh: true}, true, true},
		"open, and not hardened":            {fsm.Hardened, true, true, sight{lease: fsm.Unsealed, health: fsm.Unsealed}, false, false},
		"open before the lease says so":     {fsm.Unsealed, true, true, sight{lease: fsm.Initialized, health: fsm.Unsealed}, true, true},
		"the lease says open, Vault sealed": {fsm.Unsealed, true, true, sight{lease: fsm.Hardened, fresh: true, health: fsm.Initialized}, false, true},
	} {
		w := &waiter{goal: test.goal, seen: test.seen}
		if test.lease {
			w.lease = &leaseFeed{}
		}
		if test.health {
			w.health = health
		}
		if got := w.reached(); got != test.want {
			t.Errorf("%s: reached is %v", name, got)
		}
		if got := w.asks(); got != test.asks {
			t.Errorf("%s: asks is %v", name, got)
		}
	}
}

// TestCalls has only what the Lease shows of the goal lead to a look at Vault at once.
func TestCalls(t *testing.T) {
	for _, test := range []struct {
		goal, lease fsm.State
		want        bool
	}{
		{fsm.Unsealed, "", false},
		{fsm.Unsealed, fsm.Initialized, false},
		{fsm.Unsealed, fsm.Unsealed, true},
		{fsm.Initialized, fsm.Initialized, true},
		{fsm.Hardened, fsm.Initialized, false},
		{fsm.Hardened, fsm.Hardened, true},
	} {
		w := &waiter{goal: test.goal, seen: sight{lease: test.lease}}
		if got := w.calls(); got != test.want {
			t.Errorf("for %s, the Lease shows %q: %v", test.goal, test.lease, got)
		}
	}
}

// TestCrowdIsPolite bounds what 200 who started together cost after their first look:
// less than 20 looks a second, in every five seconds of three minutes.
func TestCrowdIsPolite(t *testing.T) {
	const crowd, longest, window, watched = 200, 20 * time.Second, 5 * time.Second, 3 * time.Minute
	looks := map[int]int{} // by half window, so that what straddles two is seen
	for range crowd {
		pace := crowdPace{longest: longest}
		for at := pace.next(); at < watched; {
			looks[int(at/(window/2))]++
			wait := pace.next()
			if wait < longest/4 || wait > longest {
				t.Fatalf("a wait of %s", wait)
			}
			at += wait
		}
	}
	total := 0
	for i := range int(watched / (window / 2)) {
		total += looks[i]
		if rate := float64(looks[i]+looks[i+1]) / window.Seconds(); rate >= 20 {
			t.Errorf("%v looks a second, %s after the first", rate, time.Duration(i)*window/2)
		}
	}
	if least := crowd * int(watched/longest-1); total < least {
		t.Errorf("%d looks: somebody looks less often than every %s", total, longest)
	}
}
