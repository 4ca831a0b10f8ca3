package wait

import (
	"context"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

func TestReached(t *testing.T) {
	health := func(context.Context) fsm.State { return "" }
	for name, test := range map[string]struct {
		goal          fsm.State
		lease, health bool
		seen          snapshot
		want, asks    bool
	}{
		"nothing is known":                  {fsm.Unsealed, true, true, snapshot{}, false, true},
		"health alone":                      {fsm.Unsealed, false, true, snapshot{health: fsm.Unsealed}, true, true},
		"health alone, not yet":             {fsm.Unsealed, false, true, snapshot{health: fsm.Initialized}, false, true},
		"lease alone":                       {fsm.Hardened, true, false, snapshot{lease: fsm.Hardened}, true, false},
		"lease alone, not yet":              {fsm.Hardened, true, false, snapshot{lease: fsm.Seeded}, false, false},
		"both, open":                        {fsm.Hardened, true, true, snapshot{lease: fsm.Hardened, health: fsm.Unsealed}, true, true},
		"recorded, and sealed since":        {fsm.Hardened, true, true, snapshot{lease: fsm.Hardened, health: fsm.Initialized}, false, true},
		"recorded while we waited":          {fsm.Hardened, true, true, snapshot{lease: fsm.Hardened, fresh: true}, true, true},
		"open, and not hardened":            {fsm.Hardened, true, true, snapshot{lease: fsm.Unsealed, health: fsm.Unsealed}, false, false},
		"open before the lease says so":     {fsm.Unsealed, true, true, snapshot{lease: fsm.Initialized, health: fsm.Unsealed}, true, true},
		"the lease says open, Vault sealed": {fsm.Unsealed, true, true, snapshot{lease: fsm.Hardened, fresh: true, health: fsm.Initialized}, false, true},
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
		if got := w.needsHealth(); got != test.asks {
			t.Errorf("%s: asks is %v", name, got)
		}
	}
}

// TestPromptsHealth checks that Vault is asked at once only if the Lease shows the goal.
func TestPromptsHealth(t *testing.T) {
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
		w := &waiter{goal: test.goal, seen: snapshot{lease: test.lease}}
		if got := w.promptsHealth(); got != test.want {
			t.Errorf("for %s, the Lease shows %q: %v", test.goal, test.lease, got)
		}
	}
}
