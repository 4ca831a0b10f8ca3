package ceremony

import (
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func TestRetire(t *testing.T) {
	b := newBench(t)
	b.vault.code = http.StatusNotImplemented
	b.records.keys.Rotation = &store.Rotation{ID: "r1", Set: &store.KeySet{Kind: store.UnsealKeys, Shares: sharesOf('n', 3)}}
	b.records.checkpoint.ClusterID = "c1"
	dates, err := b.admin.Retire(t.Context(), false)
	keys := b.records.keys
	if err != nil || len(dates) != 2 || len(keys.Old) != 2 || keys.Set != nil || keys.Rotation != nil {
		t.Errorf("put away under %q, %v: %+v", dates, err, keys)
	}
	if b.records.checkpoint.ClusterID != "" || b.records.checkpoint.State != "uninitialized" {
		t.Errorf("the checkpoint is %+v", b.records.checkpoint)
	}
}

func TestRetireRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(b *bench)
		kind  fault.Kind
	}{
		"the Vault is there":              {func(b *bench) { b.vault.code = http.StatusOK }, fault.Usage},
		"it may be there":                 {func(b *bench) { b.vault.code = http.StatusTeapot }, fault.Transient},
		"no keys are stored":              {func(b *bench) { b.records.keys.Set = nil }, fault.Usage},
		"no replica is known":             {func(b *bench) { b.admin.Cluster.Replicas = nil }, fault.Transient},
		"a root token may be in a backup": {func(b *bench) { b.records.keys.Glass = &store.Glass{ID: "g"} }, fault.Usage},
	} {
		b := newBench(t)
		b.vault.code = http.StatusNotImplemented
		test.spoil(b)
		if _, err := b.admin.Retire(t.Context(), false); err == nil || fault.KindOf(err) != test.kind || b.records.writes > 0 {
			t.Errorf("%s: %v (%v), %d writes", name, err, fault.KindOf(err), b.records.writes)
		}
	}
}
