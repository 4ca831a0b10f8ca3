package states

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// TestWaiters counts the wait of each empty replica separately.
func TestWaiters(t *testing.T) {
	var alone waiters
	now := time.Now()
	a, b := fsm.Replica{Address: "a"}, fsm.Replica{Address: "b"}
	for _, step := range []struct {
		after time.Duration
		empty []fsm.Replica
		due   []string
	}{
		{0, []fsm.Replica{a}, nil},
		{joinPatience - time.Second, []fsm.Replica{a, b}, nil},
		{time.Second, []fsm.Replica{a, b}, []string{"a"}},
		{joinPatience - time.Second, []fsm.Replica{a, b}, []string{"b"}},
		{time.Second, []fsm.Replica{b}, nil}, // a has joined
		{time.Hour, nil, nil},
		{0, []fsm.Replica{a}, nil}, // and is empty again: its wait restarts
	} {
		now = now.Add(step.after)
		if got := alone.due(step.empty, now); !slices.Equal(got, step.due) {
			t.Errorf("after %s: %v are due, want %v", step.after, got, step.due)
		}
	}
}

// TestUnknownReplicasAreSilent expects more replicas than are found.
func TestUnknownReplicasAreSilent(t *testing.T) {
	var known []cluster.Replica
	members := &cluster.Cluster{Expected: 2, Discover: func(context.Context) ([]cluster.Replica, int, error) { return known, 0, nil }}
	b := NewObserver(Sources{Setting: &Setting{Now: time.Now}, Cluster: members})
	found, err := b.lookAtReplicas(t.Context())
	if err != nil || len(found) != 2 || found[0].Health != fsm.NoAnswer || found[1].Address != "replica 2 of 2" {
		t.Errorf("found %v, %v", found, err)
	}
	o := Look{Observation: fsm.Observation{Replicas: found}}
	if _, err := fsm.Locate(o.Observation); err == nil {
		t.Error("it would be initialized")
	}
	if b.attempts.countEmpty(&o); o.Observation.UninitializedFor != 0 {
		t.Errorf("counted %s", o.Observation.UninitializedFor)
	}
}
