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

// TestPaceIsPolite bounds what a thousand who poll may cost: 20 s apart, 50 a second.
func TestPaceIsPolite(t *testing.T) {
	pace := pace{longest: 20 * time.Second}
	var waited, last time.Duration
	for range 10 {
		last = pace.next()
		if last < 4*time.Second || last > 24*time.Second {
			t.Errorf("a wait of %s", last)
		}
		waited += last
	}
	if waited < 2*time.Minute || last < 16*time.Second {
		t.Errorf("10 looks took %s, the last wait %s", waited, last)
	}
}
