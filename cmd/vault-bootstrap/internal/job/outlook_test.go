package job_test

import (
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// TestOutlook says no more than the checkpoint and the health of the servers show.
func TestOutlook(t *testing.T) {
	one := func(health fsm.Health, cluster string) fsm.Replicas {
		return fsm.Replicas{{Address: "a", Health: health, ClusterID: cluster}}
	}
	hardened := store.Checkpoint{State: "hardened", ClusterID: "ours"}
	for name, test := range map[string]struct {
		checkpoint store.Checkpoint
		replicas   fsm.Replicas
		keyless    bool
		known      bool
		events     int
		fails      string // the name of a terminal error, or a kind
	}{
		"nothing yet":                   {store.Checkpoint{}, one(fsm.NotInitialized, ""), false, true, 4, ""},
		"no checkpoint, and it is open": {store.Checkpoint{}, one(fsm.Active, "theirs"), false, false, 0, ""},
		"no checkpoint, and no answer":  {store.Checkpoint{}, one(fsm.NoAnswer, ""), false, false, 0, ""},
		"sealed":                        {hardened, one(fsm.Sealed, ""), false, true, 1, ""},
		"as it should be":               {hardened, one(fsm.Active, "ours"), false, true, 0, ""},
		"another Vault":                 {hardened, one(fsm.Active, "theirs"), false, true, 0, fsm.NameForeignCluster},
		"its storage is gone":           {hardened, one(fsm.NotInitialized, ""), false, true, 0, fsm.NameKeysWithoutVault},
		"no answer":                     {hardened, one(fsm.NoAnswer, ""), false, true, 0, fault.Transient.String()},
		"the first run was cut off":     {store.Checkpoint{State: "unsealed", ClusterID: "ours"}, one(fsm.Active, "ours"), false, true, 2, ""},
		"without keys, sealed":          {hardened, one(fsm.Sealed, ""), true, true, 0, fault.Transient.String()},
	} {
		got, known := job.Outlook(test.checkpoint, test.replicas, test.keyless, false)
		fails := ""
		if got.Err != nil {
			if fails = fault.NameOf(got.Err); fails == "" {
				fails = fault.KindOf(got.Err).String()
			}
		}
		if known != test.known || len(got.Events) != test.events || fails != test.fails {
			t.Errorf("%s: %+v, known %v", name, got, known)
		}
	}
}
