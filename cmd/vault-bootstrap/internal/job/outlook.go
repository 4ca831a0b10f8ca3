package job

import (
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Outlook returns what a run would do as far as the checkpoint and the health of the servers show it,
// without a login. What is inside Vault is taken to be as it is on record, and so are the keys,
// unless they are known to be gone. known is whether that says anything: without a checkpoint, whose
// Vault this is stands in the keys record only.
func Outlook(checkpoint store.Checkpoint, replicas fsm.Replicas, keyless, keysGone bool) (forecast fsm.Forecast, known bool) {
	remembered := fsm.State(checkpoint.State)
	ours := !remembered.Before(fsm.Initialized) && !keysGone
	if !keyless && !ours && replicas.LeastState() != fsm.Uninitialized {
		return fsm.Forecast{}, false
	}
	o := fsm.Observation{Replicas: replicas, Remembered: remembered, ClusterID: checkpoint.ClusterID, Login: fsm.LoginWorks}
	switch {
	case keyless:
		o.Keys = fsm.KeysElsewhere
	case ours:
		o.Keys = fsm.StoredKeys
	}
	if !remembered.Before(fsm.Seeded) {
		o.Plan = fsm.PlanEmpty
	}
	if remembered == fsm.Hardened {
		o.Controls = fsm.ControlsHold
	}
	return fsm.Foresee(o, fsm.Hardened), true
}
