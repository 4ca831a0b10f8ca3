package states

import (
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestRecall checks what makes a walk read everything again: time, another active node, another
// cluster, an act that may have changed anything.
func TestRecall(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(address, cluster string) *Look {
		return &Look{Observation: fsm.Observation{Replicas: []fsm.Replica{{Address: address, ClusterID: cluster, Health: fsm.Active}}}}
	}
	here := at("https://vault-0:8200", "one")
	for name, c := range map[string]struct {
		look *Look
		now  time.Time
		do   func(*recall)
		want bool
	}{
		"the same node, soon": {here, now.Add(recallTime), nil, true},
		"later":               {here, now.Add(recallTime + time.Second), nil, false},
		"a clock set back":    {here, now.Add(-time.Second), nil, false},
		"an election":         {at("https://vault-1:8200", "one"), now, nil, false},
		"another cluster":     {at("https://vault-0:8200", "two"), now, nil, false},
		"nobody active":       {&Look{}, now, nil, false},
		"an act in between":   {here, now, (*recall).forget, false},
	} {
		r := &recall{walking: true, seen: reconcile.Seen{"sys/policies/acl/app": true}, since: now, server: activeServer(here)}
		if c.do != nil {
			c.do(r)
		}
		if got := known(r, c.look, c.now)["sys/policies/acl/app"]; got != c.want {
			t.Errorf("%s: known is %t, want %t", name, got, c.want)
		}
	}
	r := &recall{walking: true, seen: reconcile.Seen{"sys/policies/acl/app": true}, since: now, server: activeServer(here)}
	r.keep(here, &reconcile.Plan{}, now.Add(recallTime/2))
	if !r.since.Equal(now) {
		t.Error("a look that has read only the rest makes what was read earlier count as younger")
	}
	r.wrote(reconcile.Seen{"sys/policies/acl/written": true})
	if !known(r, here, now.Add(recallTime))["sys/policies/acl/written"] {
		t.Error("what was written to the letter is not known")
	}
	if known(r, here, now.Add(recallTime+time.Second))["sys/policies/acl/written"] {
		t.Error("what was written is known for longer than what was read before it")
	}
	r.forget()
	r.wrote(reconcile.Seen{"sys/policies/acl/written": true})
	if known(r, here, now)["sys/policies/acl/written"] {
		t.Error("a write is known although everything is to be read again")
	}
	none := &recall{}
	none.wrote(reconcile.Seen{"sys/policies/acl/written": true})
	none.keep(here, &reconcile.Plan{}, now)
	none.forget()
	if none.fresh(here, now) != nil {
		t.Error("a look without the Lease remembers something")
	}
}

// known is what need not be read.
func known(r *recall, look *Look, now time.Time) reconcile.Seen {
	fresh := r.fresh(look, now)
	if fresh == nil {
		return nil
	}
	return fresh()
}

// TestRecallOfWhatIsReadBack holds that what is being read back is waited for, and is void where
// everything is.
func TestRecallOfWhatIsReadBack(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	here := &Look{}
	remembering := func() *recall {
		return &recall{walking: true, seen: reconcile.Seen{"before": true}, since: now, server: activeServer(here)}
	}
	goOn := make(chan struct{})
	read := func() reconcile.Seen {
		<-goOn
		return reconcile.Seen{"written": true}
	}
	r := remembering()
	r.readBack(read)
	still := r.fresh(here, now)
	close(goOn)
	if seen := still(); !seen["before"] || !seen["written"] {
		t.Errorf("known is %v", seen)
	}
	if seen := known(r, here, now); !seen["written"] {
		t.Errorf("the second look knows %v", seen)
	}
	r.readBack(read)
	r.forget()
	if seen := known(r, here, now); seen != nil {
		t.Errorf("after everything is void, %v is known", seen)
	}
	none := &recall{}
	none.readBack(func() reconcile.Seen {
		t.Error("who looks without the Lease reads back")
		return nil
	})
}
