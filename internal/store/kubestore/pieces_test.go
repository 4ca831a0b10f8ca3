package kubestore_test

import (
	"encoding/base64"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// large returns a checkpoint whose ledger takes so many Secrets: one long name for each, of
// what does not compress.
func large(seed uint64, pieces int) store.Checkpoint {
	c := store.Checkpoint{State: "seeded", Ledger: map[string]store.Ownership{}}
	random := rand.New(rand.NewPCG(seed, 0))
	for range pieces {
		name := make([]byte, 720<<10)
		for i := range name {
			name[i] = byte(random.Uint64())
		}
		c.Ledger[base64.StdEncoding.EncodeToString(name)] = store.Created
	}
	return c
}

func read(t *testing.T, records store.Store, want store.Checkpoint) store.Revision {
	t.Helper()
	got, revision, err := records.Checkpoint(t.Context())
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the checkpoint came back with %d objects in the state %q", len(got.Ledger), got.State)
	}
	return revision
}

// full returns the Secrets that hold a piece.
func full(server *kubetest.Server) []string {
	var names []string
	for _, name := range server.Names("secrets") {
		var found corev1.Secret
		if server.Get("secrets", name, &found); len(found.Data["piece"]) > 0 {
			names = append(names, name)
		}
	}
	return names
}

func TestPieces(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	one, two := large(1, 1), large(2, 1)
	revision, err := records.SaveCheckpoint(t.Context(), one, "")
	check(t, err)
	first := full(server)
	if len(first) == 0 || first[0] != "vb-state-a1" {
		t.Fatalf("the pieces are in %q", first)
	}
	read(t, open(t, server), one)

	one.State = "hardened" // with the same pieces
	revision, err = records.SaveCheckpoint(t.Context(), one, revision)
	check(t, err)
	if now := full(server); !slices.Equal(now, first) {
		t.Errorf("the pieces are in %q", now)
	}
	_, err = open(t, server).SaveCheckpoint(t.Context(), two, revision)
	check(t, err)
	if now := full(server); !slices.Contains(now, "vb-state-b1") {
		t.Errorf("the pieces are in %q", now)
	}

	last := open(t, server)
	revision = read(t, last, two)
	small := store.Checkpoint{State: "seeded", Ledger: map[string]store.Ownership{"a": store.Created}}
	_, err = last.SaveCheckpoint(t.Context(), small, revision)
	check(t, err)
	if left := full(server); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	read(t, open(t, server), small)
}

func TestPiecesThatAreLost(t *testing.T) {
	server := kubetest.Start(t)
	_, err := open(t, server).SaveCheckpoint(t.Context(), large(1, 1), "")
	check(t, err)
	server.Put("secrets", secretWith("vb-state-a1", "piece", "another's"))
	_, _, err = open(t, server).Checkpoint(t.Context())
	named(t, err, wire.RecordCorrupt)
	server.Remove("secrets", "vb-state-a1")
	_, _, err = open(t, server).Checkpoint(t.Context())
	named(t, err, wire.RecordCorrupt)
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Name == "vb-state-a1" {
			return kubetest.Broken(r)
		}
		return nil
	})
	if _, _, err = open(t, server).Checkpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "etcd is away") {
		t.Errorf("got %v", err)
	}
}

func TestPiecesNeedRulesOfTheirOwn(t *testing.T) {
	server := kubetest.Start(t)
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if strings.HasPrefix(r.Name, "vb-state-a") {
			return kubetest.Denied(r)
		}
		return nil
	})
	_, err := open(t, server).SaveCheckpoint(t.Context(), large(1, 1), "")
	if fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), `resourceNames: ["vb-state-b1"]`) {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
	if names := server.Names("secrets"); len(names) > 0 {
		t.Errorf("a record without its pieces was written: %q", names)
	}
	// Without the permission to read them, none can be ours: only the record is written.
	_, err = open(t, server).SaveCheckpoint(t.Context(), store.Checkpoint{State: "x"}, "")
	check(t, err)
}
