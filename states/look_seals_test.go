package states

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// The fakes let a pod be replaced between two requests of one look, which the real things do at any
// time.
type (
	onePod struct {
		PodReader
		life workload.Life
	}
	oneReplica struct {
		cluster.Replica
		code int
		from netip.Addr
		// then is what happens right after the answer.
		then func()
	}
	oneRecord struct {
		Records
		checkpoint store.Checkpoint
	}
)

func (p *onePod) Life(context.Context, string) (workload.Life, error) { return p.life, nil }

func (*oneReplica) Address() string { return "http://vault-1.vault-internal:8200" }

func (r *oneReplica) Health(context.Context) (vault.Health, error) {
	if r.then != nil {
		defer r.then()
	}
	return vault.Health{Code: r.code, From: r.from}, nil
}

func (*oneReplica) Leader(context.Context) (string, error) { return "", nil }

func (r *oneRecord) Checkpoint(context.Context) (store.Checkpoint, error) { return r.checkpoint, nil }

func (r *oneRecord) UpdateCheckpoint(_ context.Context, change func(*store.Checkpoint) error) error {
	return change(&r.checkpoint)
}

// TestReplacedWhileLookedAt replaces a pod around the moment at which its server answers that it is
// open. The successor, which starts sealed, was never open: nobody has sealed it, and it must be
// unsealed.
func TestReplacedWhileLookedAt(t *testing.T) {
	old := workload.Life{Name: "old/0", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	restarted := workload.Life{Name: "old/1", Addresses: old.Addresses}
	young := workload.Life{Name: "new/0", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}
	unscheduled := workload.Life{Name: "new/0"}
	for _, test := range []struct {
		name  string
		looks []workload.Life // the pod before each look that finds the old server open
		after workload.Life   // the pod when the last of them reads it
		then  workload.Life   // the pod of the sealed server
		want  bool            // whether that one counts as sealed on purpose
	}{
		{"sealed by somebody", []workload.Life{old}, old, old, true},
		{"restarted later", []workload.Life{old, old}, old, restarted, false},
		{"restarted right after the answer", []workload.Life{old, old}, restarted, restarted, false},
		{"restarted right after the first answer", []workload.Life{old}, restarted, restarted, false},
		{"deleted by force, and still answering", []workload.Life{old, young, young}, young, young, false},
		{"deleted by force before the first look", []workload.Life{young, young}, young, young, false},
		{"its successor has no address yet", []workload.Life{old, unscheduled, unscheduled}, unscheduled, young, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod, record := &onePod{}, &oneRecord{}
			replica := &oneReplica{code: http.StatusTooManyRequests, from: netip.MustParseAddr("::ffff:10.0.0.1")}
			members := &cluster.Cluster{Replicas: []cluster.Replica{replica}}
			setting := &Setting{Log: slog.New(slog.DiscardHandler)}
			b := New(Config{Sources: Sources{Setting: setting, Cluster: members, Records: record, Access: &login.Access{}}, Pods: pod, RespectSeal: true})
			b.Hold(record)
			look := func() fsm.Replica {
				seen := &Look{Checkpoint: record.checkpoint}
				var err error
				if seen.Observation.Replicas, err = b.observer.lookAtReplicas(t.Context()); err == nil {
					err = b.observer.seals.look(t.Context(), seen)
				}
				if err == nil && seen.Unsettled.Open != nil {
					_, err = b.settling.settleLives(t.Context(), seen)
				}
				if err != nil {
					t.Fatal(err)
				}
				return seen.Observation.Replicas[0]
			}
			for i, life := range test.looks {
				pod.life = life
				replica.then = nil
				if i == len(test.looks)-1 {
					replica.then = func() { pod.life = test.after }
				}
				look()
			}
			pod.life = test.then
			*replica = oneReplica{code: http.StatusServiceUnavailable, from: netip.MustParseAddr("10.0.0.2")}
			if got := look(); got.Health != fsm.Sealed || got.OnPurpose != test.want {
				t.Errorf("it is %s, sealed on purpose: %v, want %v", got.Health, got.OnPurpose, test.want)
			}
		})
	}
}
