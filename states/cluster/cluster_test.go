package cluster

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// fakeReplica answers to health and leader, and panics at every other call.
type fakeReplica struct {
	Replica
	address string
	code    int
	err     error // what it answers to health
	alone   bool  // it knows no leader
}

func (r *fakeReplica) Address() string { return r.address }

func (r *fakeReplica) Health(context.Context) (vault.Health, error) {
	return vault.Health{Code: r.code, ServerTime: time.Unix(5, 0)}, r.err
}

func (r *fakeReplica) Leader(context.Context) (string, error) {
	if r.alone {
		return "", vault.ErrNoLeader
	}
	return "https://a:8200", nil
}

// noted is a witness. Answers come at once from all servers.
type noted struct {
	asked    int
	answered atomic.Int32
}

func (n *noted) Asking(_ context.Context, servers []Server) { n.asked += len(servers) }
func (n *noted) Answered(string, netip.Addr)                { n.answered.Add(1) }

func TestLook(t *testing.T) {
	a := &fakeReplica{address: "a", code: 200}
	members := &Cluster{Replicas: []Replica{a}, Discover: func(context.Context) ([]Replica, int, error) {
		return []Replica{a, &fakeReplica{address: "b", code: 429, alone: true}, &fakeReplica{address: "c", err: errors.New(`Get "x": connection refused`)}}, 4, nil
	}}
	witness := &noted{}
	found, err := Look(t.Context(), members, witness)
	var health []fsm.Health
	for _, replica := range found {
		health = append(health, replica.Health)
	}
	if err != nil || !slices.Equal(health, []fsm.Health{fsm.Active, fsm.StandbyCutOff, fsm.NoAnswer, fsm.NoAnswer}) {
		t.Errorf("found %v, %v", health, err)
	}
	if found[2].Answer != "connection refused" || found[3].Address != "replica 4 of 4" {
		t.Errorf("found %+v", found[2:])
	}
	if witness.asked != 3 || witness.answered.Load() != 3 {
		t.Errorf("the witness was notified of %d servers and %d answers", witness.asked, witness.answered.Load())
	}
	if !slices.Equal(members.Health(t.Context()), found) {
		t.Error("Health returns something else than Look")
	}
}

func TestDiscoveryFails(t *testing.T) {
	members := &Cluster{Discover: func(context.Context) ([]Replica, int, error) { return nil, 0, errors.New("no such host") }}
	if _, err := Look(t.Context(), members, nil); err == nil || err.Error() != "finding the replicas: no such host" {
		t.Errorf("failed with %v", err)
	}
}

func TestAt(t *testing.T) {
	members := &Cluster{Replicas: []Replica{&fakeReplica{address: "a", code: 200}}, Expected: 1}
	if members.At("a") == nil || members.At("b") != nil || ServerAt(members, "a") == nil || ServerAt(members, "b") != nil {
		t.Error("a replica is not found by its address")
	}
	if at, err := members.Clock(t.Context(), "a"); err != nil || !at.Equal(time.Unix(5, 0)) {
		t.Errorf("its clock says %s, %v", at, err)
	}
	if _, err := members.Clock(t.Context(), "b"); err == nil {
		t.Error("an address without a replica has a clock")
	}
}
