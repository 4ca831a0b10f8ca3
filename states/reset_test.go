package states

import (
	"errors"
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// TestMissingKeysAreNeverReset leaves a Vault alone whose keys record is gone: a copy opens it.
func TestMissingKeysAreNeverReset(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Loss.Reset = true }) // without volumes: touching one panics
	s.store.checkpoint = store.Checkpoint{State: "hardened", ClusterID: "c1"}
	s.replica.code = http.StatusServiceUnavailable
	look := s.outside(t)
	_, missing := fsm.Locate(*look.Observed())
	if err := s.Rescue(t.Context(), look, missing); !errors.Is(err, missing) || fault.NameOf(err) != fsm.NameKeysMissing || s.store.keys.Attempt != nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestCondemned checks which storage may be deleted when keys are lost: that of the one replica
// that the attempt targeted, and only if nobody can be using it.
func TestCondemned(t *testing.T) {
	replica := func(address string, health fsm.Health) fsm.Replica {
		return fsm.Replica{Address: address, Health: health}
	}
	half := []fsm.Symptom{{Kind: fsm.StorageHasState, Replica: "a", Err: errors.New("cluster already has state")}}
	for _, test := range []struct {
		name     string
		replicas []fsm.Replica
		symptoms []fsm.Symptom
		may      bool
		kind     fault.Kind // of the error, where nothing may be deleted
	}{
		{"the target, sealed", []fsm.Replica{replica("a", fsm.Sealed), replica("b", fsm.NotInitialized)}, nil, true, 0},
		{"the target, half-initialized", []fsm.Replica{replica("a", fsm.NotInitialized), replica("b", fsm.NotInitialized)}, half, true, 0},
		{"both at once", []fsm.Replica{replica("a", fsm.Sealed)}, half, true, 0},
		{"another than the target", []fsm.Replica{replica("a", fsm.NotInitialized), replica("b", fsm.Sealed)}, nil, false, fault.Terminal},
		{"two of them", []fsm.Replica{replica("a", fsm.Sealed), replica("b", fsm.Sealed)}, nil, false, fault.Terminal},
		{"one is silent", []fsm.Replica{replica("a", fsm.Sealed), replica("b", fsm.NoAnswer)}, nil, false, fault.Transient},
		{"one is open", []fsm.Replica{replica("a", fsm.Sealed), replica("b", fsm.Active)}, nil, false, fault.Terminal},
		{"it was removed from its cluster", []fsm.Replica{replica("b", fsm.Removed)}, nil, false, fault.Terminal},
	} {
		t.Run(test.name, func(t *testing.T) {
			lost := fault.Stop(fsm.NameKeysLost, errors.New("as Locate says it"), "start over")
			err := condemned(fsm.Observation{Replicas: test.replicas, Symptoms: test.symptoms}, store.Attempt{Target: "a"}, lost)
			if test.may {
				if err != nil {
					t.Errorf("its storage is kept: %v", err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != test.kind || !errors.Is(err, lost) && test.kind == fault.Terminal {
				t.Errorf("the error is %v (%s), want a %s one about the loss", err, fault.KindOf(err), test.kind)
			}
		})
	}
}
